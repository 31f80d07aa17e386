import { addBootEntry, type EfiPartition, openVariables } from "../boot/index.ts";
import { DiskwrightError } from "../errors.ts";
import { isEfiSystemPartition } from "../layouts/index.ts";
import type { ImagePlan, PartitionPlan } from "./plan.ts";

/** UEFI counts in blocks of the disk. */
function efiPartition({ image, table }: ImagePlan, partition: PartitionPlan): EfiPartition {
  const { number, guid, offset, size } = partition;
  const place = { number, firstLba: offset / image.sectorSize, sectors: size / image.sectorSize };
  return table.type === "gpt" ? { ...place, guid: guid! } : { ...place, signature: image.diskSignature };
}

/**
 * A store of UEFI variables with entries that start the boot loader of an image, before all others: what a boot
 * loader's own installer would ask running firmware for. `store` is what the firmware keeps them in, such as
 * `OVMF_VARS.fd`.
 *
 * @throws DiskwrightError `INVALID_SPEC` when the image has nothing that UEFI starts by a variable; `CORRUPT` or
 *   `UNSUPPORTED_IMAGE` for a store that cannot be read, `DOES_NOT_FIT` when it is full.
 */
export function firmwareVariables(plan: ImagePlan, store: Uint8Array): Uint8Array {
  const entries = plan.image.boot?.efiEntries ?? [];
  const esp = plan.partitions.find(isEfiSystemPartition);
  if (esp === undefined || entries.length === 0) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "UEFI variables were asked for, but the image has no boot loader that they could name: use a layout with an " +
        "EFI system partition, and name the boot loader",
    );
  }
  const variables = openVariables(store);
  const partition = efiPartition(plan, esp);
  for (const { title, path } of [...entries].reverse()) addBootEntry(variables, { title, path, partition });
  return variables.toBytes();
}
