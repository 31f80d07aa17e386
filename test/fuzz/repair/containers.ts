import { crc32c } from "../../../src/bytes/index.ts";
import type { Range } from "../mutate.ts";

// The checksums of disk formats: CRC-32C of VHDX headers and region tables, sums of VHD footers and headers.

const VHDX_PARTS = [
  { start: 0x10000, length: 0x1000, signature: "head" },
  { start: 0x20000, length: 0x1000, signature: "head" },
  { start: 0x30000, length: 0x10000, signature: "regi" },
  { start: 0x40000, length: 0x10000, signature: "regi" },
] as const;

const VHD_FOOTER = { signature: "conectix", length: 512, checksum: 64 } as const;
const VHD_HEADER = { signature: "cxsparse", length: 1024, checksum: 36 } as const;

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  return [...text].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));
}

/** The first bytes, and what formats have at their end and at places of their own. */
export function containerRanges(bytes: Uint8Array): Range[] {
  const vhdx = startsWith(bytes, 0, "vhdxfile")
    ? [
        ...VHDX_PARTS.map(({ start }) => ({ start, length: 128 })),
        { start: 0x200000, length: 0x200 },
        { start: 0x300000, length: 64 },
      ]
    : [];
  return [
    { start: 0, length: 512 },
    { start: 512, length: 1024 },
    { start: 0x10000, length: 256 },
    { start: 0x20000, length: 256 },
    { start: Math.max(0, bytes.length - 1536), length: Math.min(1536, bytes.length) },
    ...vhdx,
  ].filter(({ start }) => start < bytes.length);
}

export function repairContainers(bytes: Uint8Array): void {
  if (startsWith(bytes, 0, "vhdxfile")) {
    for (const { start, length, signature } of VHDX_PARTS) {
      if (start + length > bytes.length || !startsWith(bytes, start, signature)) continue;
      const part = bytes.subarray(start, start + length);
      const view = new DataView(bytes.buffer, bytes.byteOffset + start);
      view.setUint32(4, 0, true);
      view.setUint32(4, crc32c(part), true);
    }
  }
  for (const start of [0, bytes.length - 512]) sum(bytes, start, VHD_FOOTER);
  sum(bytes, 512, VHD_HEADER);
}

function sum(
  bytes: Uint8Array,
  start: number,
  { signature, length, checksum }: typeof VHD_FOOTER | typeof VHD_HEADER,
): void {
  if (start < 0 || start + length > bytes.length || !startsWith(bytes, start, signature)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  view.setUint32(checksum, 0);
  let total = 0;
  for (let at = 0; at < length; at++) total += bytes[start + at]!;
  view.setUint32(checksum, ~total >>> 0);
}
