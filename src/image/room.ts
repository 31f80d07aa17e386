import { formatBytes } from "../bytes/index.ts";
import { DoesNotFitError, throwProblems } from "../errors.ts";
import type { ImagePlan } from "./plan.ts";
import { tableRanges } from "./table-ranges.ts";

/**
 * Checks that what lies outside of partitions lies within the disk and keeps off everything else.
 *
 * @throws DiskwrightError `INVALID_SPEC` naming both of what overlaps.
 */
export function checkRoom(plan: ImagePlan): void {
  const owners = [
    ...tableRanges(plan).map(({ what, offset, length }) => ({ what: `the ${what}`, offset, length })),
    ...plan.partitions.map(({ name, offset, size }) => ({ what: `partition ${name}`, offset, length: size })),
  ];
  const problems: string[] = [];
  for (const { name, offset, raw } of plan.gaps) {
    const length = raw.content.size;
    const end = offset + length;
    if (end > plan.size) {
      throw new DoesNotFitError(
        `gap ${name} ends at ${formatBytes(end)}, behind the end of the disk at ${formatBytes(plan.size)}`,
        end - plan.size,
      );
    }
    for (const owner of owners) {
      if (offset >= owner.offset + owner.length || end <= owner.offset) continue;
      const remedy = owner.what.includes("GPT entries")
        ? ": move the entries (gptEntriesAt), or use an MBR"
        : ": give one of them another place";
      problems.push(
        `gap ${name}, bytes ${offset} to ${end - 1}, overlaps ${owner.what}, bytes ${owner.offset} to ` +
          `${owner.offset + owner.length - 1}${remedy}`,
      );
    }
    owners.push({ what: `gap ${name}`, offset, length });
  }
  throwProblems("INVALID_SPEC", "the gaps cannot be written", problems);
}
