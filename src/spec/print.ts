import { type Spec, specSchema } from "./schema.ts";

/** A spec as JSON, its fields in the order of the schema. */
export function printSpec(spec: Spec): string {
  const fields = Object.keys(specSchema.entries) as (keyof Spec)[];
  const ordered = Object.fromEntries(
    fields.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]]])),
  );
  return `${JSON.stringify(ordered, null, 2)}\n`;
}
