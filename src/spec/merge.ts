import type { Spec } from "./schema.ts";

/** A spec with other fields over it: each replaces the field of its name, but those of `filesystem` one by one. */
export function mergeSpec(below: Spec, above: Spec): Spec {
  const fields = Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined));
  const filesystem = { ...below.filesystem, ...above.filesystem };
  // A layout that is named takes the place of partitions, and the other way round.
  const base = above.layout !== undefined || above.partitions !== undefined ? withoutLayout(below) : below;
  return { ...base, ...fields, ...(Object.keys(filesystem).length === 0 ? {} : { filesystem }) };
}

function withoutLayout(spec: Spec): Spec {
  const { layout, table, partitions, gaps, alignment, endGap, gptEntriesAt, ...rest } = spec;
  return rest;
}
