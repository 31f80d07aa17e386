import { crc32 } from "../../../src/bytes/index.ts";
import type { Range } from "../mutate.ts";

// GPT headers and arrays of entries (UEFI 2.10 §5.3.2): both have a CRC-32 in the header.

const SIGNATURE = "EFI PART";
const ENTRIES = 128 * 128;

/** Where the headers of a disk lie; sectors have 512 or 4096 bytes. */
function headers(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (const sector of [512, 4096]) {
    for (const at of [sector, bytes.length - sector]) {
      if (at < 0 || at + 512 > bytes.length) continue;
      if (String.fromCharCode(...bytes.subarray(at, at + 8)) === SIGNATURE) found.push(at);
    }
  }
  return found;
}

export function gptRanges(bytes: Uint8Array): Range[] {
  return headers(bytes).flatMap((at) => {
    const sector = at === 512 || bytes.length - at === 512 ? 512 : 4096;
    const entries = sector * Number(new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(72, true));
    return [
      { start: at, length: 92 },
      { start: entries, length: 1024 },
      { start: 0x1be, length: 66 },
    ];
  });
}

export function repairGpt(bytes: Uint8Array): void {
  for (const at of headers(bytes)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 512);
    const sector = at === 512 || bytes.length - at === 512 ? 512 : 4096;
    const start = sector * Number(view.getBigUint64(72, true));
    const length = view.getUint32(80, true) * view.getUint32(84, true);
    if (length <= 16 * ENTRIES && start + length <= bytes.length) {
      view.setUint32(88, crc32(bytes.subarray(start, start + length)), true);
    }
    const size = view.getUint32(12, true);
    if (size < 92 || at + size > bytes.length) continue;
    view.setUint32(16, 0, true);
    view.setUint32(16, crc32(bytes.subarray(at, at + size)), true);
  }
}
