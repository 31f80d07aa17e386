import { formatBytes } from "../bytes/index.ts";
import { type Disk, type UnitRun, unitDisk } from "../container/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { LARGEST_VDI } from "./plan.ts";
import {
  BLOCK_FREE,
  BLOCK_ZERO,
  NO_UUID,
  VDI_BLOCK,
  VDI_SIGNATURE,
  VDI_SMALLEST_HEADER,
  VDI_TYPES,
  type VdiHeader,
  vdiHeader,
} from "./structures.ts";

const MOST_BLOCKS = LARGEST_VDI / VDI_BLOCK;

/**
 * Opens a VDI; `undefined` when the file is none.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openVdi(file: ByteSource): Promise<Disk | undefined> {
  if (file.size < vdiHeader.span) return undefined;
  const header = vdiHeader.fromBytes(await file.read(0, vdiHeader.span));
  if (header.signature !== VDI_SIGNATURE) return undefined;
  check(header, file.size);
  const { blocks, blocksAllocated, dataOffset, mapOffset, uuid } = header;
  const mapBytes = await readExactly(file, mapOffset, 4 * blocks, "the map of the vdi file");
  const map = new DataView(mapBytes.buffer, mapBytes.byteOffset, mapBytes.byteLength);
  const entry = (block: number): number => map.getUint32(4 * block, true);
  const problems = checkMap(entry, header);

  function run(first: number): UnitRun {
    const place = entry(first);
    const isZeros = place === BLOCK_FREE || place === BLOCK_ZERO;
    let units = 1;
    for (; first + units < blocks; units++) {
      const next = entry(first + units);
      if (isZeros ? next < BLOCK_ZERO : next !== place + units) break;
    }
    return isZeros
      ? { type: "zeros", units }
      : { type: "plain", units, position: dataOffset + place * VDI_BLOCK };
  }

  return unitDisk({
    format: "vdi",
    file,
    size: Number(header.diskSize),
    unitSize: VDI_BLOCK,
    problems,
    details: {
      variant: header.type === VDI_TYPES.static ? "static" : "dynamic",
      blockSize: VDI_BLOCK,
      blocksAllocated,
      uuid,
    },
    run,
  });
}

function check(header: VdiHeader, fileSize: number): void {
  const corrupt = (reason: string): never => {
    throw new DiskwrightError("CORRUPT", `the vdi file is damaged: ${reason}`);
  };
  const unsupported = (reason: string): never => {
    throw new DiskwrightError("UNSUPPORTED_IMAGE", `the vdi file cannot be read: ${reason}`);
  };
  const { version, type, blockSize, blocks, mapOffset, dataOffset, diskSize } = header;
  if (version >>> 16 !== 1) unsupported(`it has version ${version >>> 16}.${version & 0xffff}, 1.1 is read`);
  if (header.headerSize < VDI_SMALLEST_HEADER) corrupt(`its header has ${header.headerSize} bytes`);
  if (header.parentUuid !== NO_UUID || header.parentModificationUuid !== NO_UUID) {
    unsupported(
      `it is a difference to the disk ${header.parentUuid}: merge them first (VBoxManage clonemedium)`,
    );
  }
  if (type !== VDI_TYPES.dynamic && type !== VDI_TYPES.static) {
    unsupported(`its type is ${type}; 1 (dynamic) and 2 (static) are read`);
  }
  if (header.sectorSize !== 512) unsupported(`its sectors have ${header.sectorSize} bytes`);
  if (blockSize !== VDI_BLOCK) unsupported(`its blocks have ${formatBytes(blockSize)}, 1 MiB is read`);
  if (header.blockExtra !== 0) unsupported(`its blocks have ${header.blockExtra} bytes of something else`);
  if (blocks > MOST_BLOCKS) unsupported(`it has ${blocks} blocks, ${MOST_BLOCKS} are read`);
  if (diskSize > BigInt(blocks) * BigInt(VDI_BLOCK)) {
    corrupt(`${blocks} blocks do not hold a disk of ${diskSize} bytes`);
  }
  if (diskSize % 512n !== 0n) corrupt(`the disk's size of ${diskSize} bytes is no multiple of a sector`);
  if (mapOffset % 512 !== 0 || dataOffset % 512 !== 0) corrupt("its map or its data starts within a sector");
  if (mapOffset < 512) corrupt("its map lies in its header");
  if (dataOffset < mapOffset + 4 * blocks) corrupt("its data lies in its map");
  if (header.blocksAllocated > blocks) {
    corrupt(`it has ${header.blocksAllocated} of ${blocks} blocks`);
  }
  const end = dataOffset + header.blocksAllocated * VDI_BLOCK;
  if (end > fileSize) {
    corrupt(
      `its ${header.blocksAllocated} blocks end at byte ${end}, the file at ${fileSize}: it was cut off`,
    );
  }
}

/** Every block is there, and once. */
function checkMap(entry: (block: number) => number, { blocks, blocksAllocated }: VdiHeader): string[] {
  const seen = new Uint8Array(Math.ceil(blocksAllocated / 8));
  let found = 0;
  for (let block = 0; block < blocks; block++) {
    const place = entry(block);
    if (place >= BLOCK_ZERO) continue;
    const fault =
      place >= blocksAllocated
        ? `lies at ${place}, but the file has ${blocksAllocated}`
        : (seen[place >>> 3]! & (1 << (place & 7))) !== 0
          ? `lies at ${place}, as another one does`
          : undefined;
    if (fault !== undefined) {
      throw new DiskwrightError("CORRUPT", `the vdi file is damaged: block ${block} of the disk ${fault}`);
    }
    seen[place >>> 3]! |= 1 << (place & 7);
    found++;
  }
  return found === blocksAllocated
    ? []
    : [`the vdi header counts ${blocksAllocated} blocks, its map ${found}`];
}
