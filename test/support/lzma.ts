import { spawnSync } from "node:child_process";

/** What xz unpacks from a bare LZMA stream without an end mark, as GRUB has it. */
export function rawLzma(stream: Uint8Array, size: number): Buffer {
  // The header of the .lzma format: lc 3, lp 0, pb 2; a dictionary that is large enough; the size.
  const header = Buffer.alloc(13);
  header.writeUInt8((2 * 5 + 0) * 9 + 3, 0);
  header.writeUInt32LE(1 << 23, 1);
  header.writeBigUInt64LE(BigInt(size), 5);
  const { stdout, stderr, status } = spawnSync("xz", ["--format=lzma", "--decompress", "--stdout"], {
    input: Buffer.concat([header, stream]),
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}
