import { DiskwrightError } from "../errors.ts";
import { hex } from "./text.ts";

// GUIDs and UUIDs are the same 16 bytes of meaning in two orders of bytes. Both are kept as lower-case text
// ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"). The `uuid` package cannot read all of them: the type GUID of the
// BIOS boot partition, 21686148-6449-6e6f-744e-656564454649, has no RFC 9562 variant.

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The nil GUID, which marks an unused entry of a GPT (UEFI 2.10 §5.3.3). */
export const NIL_GUID = "00000000-0000-0000-0000-000000000000";

/**
 * Checks the text of a GUID or UUID and gives it in lower case.
 *
 * @throws DiskwrightError `INVALID_SPEC` when the text has another shape.
 */
export function parseGuid(text: string): string {
  const lower = text.toLowerCase();
  if (CANONICAL.test(lower)) return lower;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `"${text}" is not a GUID: write it as 32 hexadecimal digits in groups, such as f222513b-ded1-49fa-b591-20ce86a2fe7f`,
  );
}

/** Where each group's bytes go when the first three groups are little-endian. */
const MIXED_ENDIAN = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** The 16 bytes of a UUID in written order (RFC 9562 §4), as ext4 stores it. */
export function uuidToBytes(text: string): Uint8Array {
  const digits = parseGuid(text).replaceAll("-", "");
  return Uint8Array.from({ length: 16 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

/** The text of a UUID whose 16 bytes are in written order. */
export function uuidFromBytes(bytes: Uint8Array): string {
  const digits = hex(bytes.subarray(0, 16));
  return [8, 12, 16, 20, 32].map((end, group) => digits.slice([0, 8, 12, 16, 20][group], end)).join("-");
}

/** The 16 bytes of a GUID as GPT stores it: the first three groups little-endian (UEFI 2.10 Appendix A). */
export function guidToBytes(text: string): Uint8Array {
  const written = uuidToBytes(text);
  return Uint8Array.from(MIXED_ENDIAN, (from) => written[from]!);
}

/** The text of a GUID whose 16 bytes are in the order of GPT. */
export function guidFromBytes(bytes: Uint8Array): string {
  return uuidFromBytes(Uint8Array.from(MIXED_ENDIAN, (from) => bytes[from]!));
}
