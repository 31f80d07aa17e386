import type { Spec } from "./schema.ts";

/** A spec with other fields over it: each replaces the field of its name, but those of `filesystem` and `vm` one by one. */
export function mergeSpec(below: Spec, above: Spec): Spec {
  const fields = Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined));
  const filesystem = { ...below.filesystem, ...above.filesystem };
  const vm = { ...below.vm, ...above.vm };
  // A layout that is named takes the place of partitions, and the other way round.
  const base = above.layout !== undefined || above.partitions !== undefined ? withoutLayout(below) : below;
  return { ...base, ...fields, ...ifAny({ filesystem }), ...ifAny({ vm }) };
}

/** The field, unless it has no fields itself. */
function ifAny<Fields extends Readonly<Record<string, object>>>(field: Fields): Partial<Fields> {
  return Object.values(field).some((value) => Object.keys(value).length > 0) ? field : {};
}

function withoutLayout(spec: Spec): Spec {
  const { layout, table, partitions, gaps, alignment, endGap, gptEntriesAt, protectiveMbrEntry, ...rest } =
    spec;
  return rest;
}
