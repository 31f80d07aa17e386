import { largestOf } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import {
  ELF_386,
  ELF_EXECUTABLE,
  ELF_IDENTIFICATION,
  ELF_LOAD,
  elfHeader,
  elfSegment,
} from "./structures.ts";

/** Where GRUB's kernel runs (GRUB_KERNEL_I386_PC_LINK_ADDR). */
export const KERNEL_ADDRESS = 0x9000;
/** Where it and its variables have to end (grub-mkimage's limit). */
export const KERNEL_END = 0x68000;

/** Whether bytes start as an ELF file of 32 bits does, as all modules for the BIOS do. */
export function isElf32(bytes: Uint8Array): boolean {
  return ELF_IDENTIFICATION.every((byte, index) => bytes[index] === byte);
}

/**
 * The bytes of kernel.img as they lie in memory from {@link KERNEL_ADDRESS} on, up to the last one that the
 * file has. The file is an ELF program (System V ABI, chapter 5) that needs no relocation.
 *
 * @throws DiskwrightError `CORRUPT` or `UNSUPPORTED_IMAGE`.
 */
export function kernelBytes(file: Uint8Array): Uint8Array {
  if (file.length < elfHeader.span || !isElf32(file)) throw corrupt("it is no ELF file of 32 bits");
  const header = elfHeader.fromBytes(file);
  if (header.type !== ELF_EXECUTABLE || header.machine !== ELF_386 || header.entry !== KERNEL_ADDRESS) {
    throw new DiskwrightError(
      "UNSUPPORTED_IMAGE",
      `GRUB's kernel.img cannot be used: it has type ${header.type}, machine ${header.machine} and starts at 0x${header.entry.toString(16)}; ` +
        `a program (2) for i386 (3) at 0x${KERNEL_ADDRESS.toString(16)} is what GRUB 2 has`,
    );
  }
  const segments = segmentsOf(
    file,
    header.programHeaders,
    header.programHeaderSize,
    header.programHeaderCount,
  );
  const end = largestOf([0, ...segments.map(({ address, fileSize }) => address + fileSize)]);
  if (end <= KERNEL_ADDRESS) throw corrupt("it has no part to load");
  const loaded = new Uint8Array(end - KERNEL_ADDRESS);
  for (const { address, offset, fileSize } of segments) {
    // What lies below is the ELF header, which some linkers load as well.
    const skipped = Math.max(0, KERNEL_ADDRESS - address);
    if (skipped >= fileSize) continue;
    loaded.set(file.subarray(offset + skipped, offset + fileSize), address + skipped - KERNEL_ADDRESS);
  }
  return loaded;
}

interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

function segmentsOf(file: Uint8Array, start: number, size: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * size;
    if (at + elfSegment.span > file.length) throw corrupt("its table of segments is cut off");
    const { type, offset, address, fileSize, memorySize } = elfSegment.fromBytes(file, at);
    if (type !== ELF_LOAD) continue;
    if (offset + fileSize > file.length) throw corrupt("a segment is cut off");
    if (address + Math.max(fileSize, memorySize) > KERNEL_END) {
      throw corrupt(`a segment ends beyond 0x${KERNEL_END.toString(16)}, where the BIOS's memory starts`);
    }
    segments.push({ offset, address, fileSize });
  }
  return segments;
}

function corrupt(why: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", `GRUB's kernel.img cannot be used: ${why}`);
}
