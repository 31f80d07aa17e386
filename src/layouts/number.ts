import type { Layout, LayoutPartition } from "./layout.ts";

/** Entries of an MBR. Numbers behind it are those of logical partitions. */
const PRIMARY_LIMIT = 4;

/** A partition that has its number. */
export interface NumberedPartition extends LayoutPartition {
  readonly number: number;
}

/** A layout whose partitions have their numbers. */
export interface NumberedLayout extends Layout {
  readonly partitions: readonly NumberedPartition[];
}

/** Whether a partition of an MBR is a logical one, in an extended partition. */
export function isLogical(layout: Layout, { number }: { readonly number: number }): boolean {
  return layout.table === "mbr" && number > PRIMARY_LIMIT;
}

/** Gives every partition its number: the lowest free one where none is given. */
export function numbered(layout: Layout): NumberedLayout {
  if (layout.table === "none") {
    return { ...layout, partitions: layout.partitions.map((partition) => ({ ...partition, number: 0 })) };
  }
  const taken = new Set(layout.partitions.flatMap(({ number }) => (number === undefined ? [] : [number])));
  const isFull = layout.table === "mbr" && layout.partitions.length > PRIMARY_LIMIT;
  const hasLogical = isFull || [...taken].some((number) => number > PRIMARY_LIMIT);
  // One of the four entries is that of the extended partition.
  const primaries = layout.table === "mbr" && hasLogical ? PRIMARY_LIMIT - 1 : Number.POSITIVE_INFINITY;
  const inEntries = layout.partitions.filter(
    ({ number }) => number !== undefined && number <= PRIMARY_LIMIT,
  ).length;
  let left = layout.table === "mbr" ? primaries - inEntries : primaries;
  const lowestFree = (from: number): number => {
    let number = from;
    while (taken.has(number)) number++;
    taken.add(number);
    return number;
  };
  const partitions = layout.partitions.map((partition) => {
    if (partition.number !== undefined) return { ...partition, number: partition.number };
    return { ...partition, number: lowestFree(left-- > 0 ? 1 : PRIMARY_LIMIT + 1) };
  });
  return { ...layout, partitions };
}
