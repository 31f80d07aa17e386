import { crc16Register, crc32cRegister, uuidToBytes } from "../bytes/index.ts";

// Every checksum of metadata_csum is a CRC-32C register that starts from a seed and is stored without the
// final inversion. The seed of all but the superblock is that of the filesystem (checksums.rst).

const INITIAL = 0xffffffff;

const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);
const fourBytes = scratch.subarray(0, 4);

/** The register after four little-endian bytes of `value`. */
function withNumber(register: number, value: number): number {
  scratchView.setUint32(0, value, true);
  return crc32cRegister(register, fourBytes);
}

/** The seed of a filesystem with this UUID. */
export function filesystemSeed(uuid: string): number {
  return crc32cRegister(INITIAL, uuidToBytes(uuid));
}

/** The seed of what belongs to one inode: the inode itself, its directory blocks, its extent tree. */
export function inodeSeed(seed: number, inode: number, generation: number): number {
  return withNumber(withNumber(seed, inode), generation);
}

/** Of a superblock, up to its last field. The seed does not enter it. */
export function superblockChecksum(superblock: Uint8Array): number {
  return crc32cRegister(INITIAL, superblock.subarray(0, 0x3fc));
}

/** Of a group descriptor whose checksum field is zero: the low 16 bits. */
export function groupDescriptorChecksum(seed: number, group: number, descriptor: Uint8Array): number {
  return crc32cRegister(withNumber(seed, group), descriptor) & 0xffff;
}

/**
 * Of a group descriptor with uninit_bg instead of metadata_csum: a CRC-16 over the UUID, the number of the
 * group, and the descriptor without the field itself (group_descr.rst).
 */
export function groupDescriptorChecksum16(uuid: string, group: number, descriptor: Uint8Array): number {
  scratchView.setUint32(0, group, true);
  let register = crc16Register(0xffff, uuidToBytes(uuid));
  register = crc16Register(register, fourBytes);
  register = crc16Register(register, descriptor.subarray(0, 0x1e));
  return crc16Register(register, descriptor.subarray(0x20));
}

/** Of a bitmap: the bytes that describe the blocks or inodes of a group, without the padding behind them. */
export function bitmapChecksum(seed: number, bitmap: Uint8Array): number {
  return crc32cRegister(seed, bitmap);
}

/** Of an inode, a directory block without its tail, or an extent block without its tail. */
export function ownedChecksum(ownSeed: number, bytes: Uint8Array): number {
  return crc32cRegister(ownSeed, bytes);
}

/** Of a block of the orphan file without its tail: with the number of the block. */
export function orphanBlockChecksum(ownSeed: number, block: number, bytes: Uint8Array): number {
  return crc32cRegister(withNumbers(ownSeed, block % 2 ** 32, Math.floor(block / 2 ** 32)), bytes);
}

const XATTR_CHECKSUM_OFFSET = 0x10;
const NO_CHECKSUM = new Uint8Array(4);

/**
 * Of a block of extended attributes: with the number of the block, which checksums.rst leaves out, and the
 * whole block with the checksum's own field taken for zero.
 */
export function xattrBlockChecksum(seed: number, block: number, bytes: Uint8Array): number {
  let register = withNumbers(seed, block % 2 ** 32, Math.floor(block / 2 ** 32));
  register = crc32cRegister(register, bytes.subarray(0, XATTR_CHECKSUM_OFFSET));
  register = crc32cRegister(register, NO_CHECKSUM);
  return crc32cRegister(register, bytes.subarray(XATTR_CHECKSUM_OFFSET + NO_CHECKSUM.length));
}

/** Of the block of multiple mount protection, up to its last field. */
export function multiMountChecksum(seed: number, bytes: Uint8Array): number {
  return crc32cRegister(seed, bytes);
}

function withNumbers(register: number, ...values: readonly number[]): number {
  return values.reduce(withNumber, register);
}
