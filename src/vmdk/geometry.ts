import { SECTOR } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  DIRECTORY_AT_END,
  ENTRY,
  INCOMPATIBLE_FLAGS,
  MARKER_TYPES,
  NEWLINES,
  TABLE_ENTRIES,
  VMDK_FLAGS,
  VMDK_MAGIC,
  type VmdkHeader,
  vmdkHeader,
  vmdkMarker,
  ZLIB,
} from "./structures.ts";

/** What a header says of the disk and of its places in the file, checked. Sizes and places are in bytes. */
export interface Geometry {
  /** Bytes of the disk. */
  readonly size: number;
  readonly grainSize: number;
  /** Grains of the disk. */
  readonly grains: number;
  /** Grains that a table maps. */
  readonly tableEntries: number;
  /** Tables of the disk. */
  readonly tables: number;
  readonly directoryOffset: number;
  /** Where the second directory starts, which may be anywhere; `undefined` when there is none. */
  readonly redundantDirectoryOffset: bigint | undefined;
  /** No grain lies before it. */
  readonly dataOffset: number;
  readonly isCompressed: boolean;
  readonly hasZeroGrains: boolean;
}

/** Sectors of a grain. The specification has 8 as the least; no program writes more than 64 KiB. */
const SMALLEST_GRAIN = 8n;
const LARGEST_GRAIN = 8192n;

const KNOWN_FLAGS = VMDK_FLAGS.compressed | VMDK_FLAGS.markers;

/**
 * The header that counts: where the first one says so, that is the footer.
 *
 * @throws DiskwrightError `CORRUPT` when there is no footer, or that of another disk.
 */
export async function validHeader(file: ByteSource, header: VmdkHeader): Promise<VmdkHeader> {
  if (header.directoryOffset !== DIRECTORY_AT_END) return header;
  const [marker, footer, end] = [0, 1, 2] as const;
  const bytes =
    file.size % SECTOR === 0 && file.size >= 4 * SECTOR
      ? await file.read(file.size - 3 * SECTOR, 3 * SECTOR)
      : new Uint8Array(3 * SECTOR);
  const before = vmdkMarker.fromBytes(bytes, marker * SECTOR);
  const last = vmdkHeader.fromBytes(bytes, footer * SECTOR);
  const behind = vmdkMarker.fromBytes(bytes, end * SECTOR);
  if (
    before.type !== MARKER_TYPES.footer ||
    before.length !== 0 ||
    last.magic !== VMDK_MAGIC ||
    behind.type !== MARKER_TYPES.endOfStream ||
    behind.length !== 0 ||
    behind.sectors !== 0n
  ) {
    damaged("its grain directory should be told by a footer at its end, but there is none: it was cut off");
  }
  for (const name of ["version", "flags", "capacity", "grainSize", "tableEntries", "compression"] as const) {
    if (header[name] !== last[name]) {
      damaged(
        `its header and its footer contradict each other: ${name} is ${header[name]} and ${last[name]}`,
      );
    }
  }
  if (last.directoryOffset === DIRECTORY_AT_END) damaged("its footer does not tell of a grain directory");
  return last;
}

/**
 * Checks a header and works out what follows from it.
 *
 * @throws DiskwrightError `CORRUPT` when it breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export function geometryOf(header: VmdkHeader, fileSize: number): Geometry {
  const isCompressed = checkKind(header);
  const { capacity, grainSize, tableEntries, flags } = header;
  if (grainSize < SMALLEST_GRAIN || grainSize > LARGEST_GRAIN || (grainSize & (grainSize - 1n)) !== 0n) {
    damaged(`a grain has ${grainSize} sectors, which is no power of two from 8 to 8192`);
  }
  if (tableEntries === 0 || tableEntries > TABLE_ENTRIES) {
    damaged(`a grain table has ${tableEntries} entries; 1 to ${TABLE_ENTRIES} are possible`);
  }
  if (capacity === 0n) damaged("its disk has 0 sectors");
  const size = capacity * BigInt(SECTOR);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) damaged(`a disk of ${size} bytes is larger than any`);
  const grains = Math.ceil(Number(capacity) / Number(grainSize));
  const tables = Math.ceil(grains / tableEntries);
  const directoryOffset = placeIn(fileSize, header.directoryOffset, ENTRY * tables, "grain directory");
  return {
    size: Number(size),
    grainSize: Number(grainSize) * SECTOR,
    grains,
    tableEntries,
    tables,
    directoryOffset,
    redundantDirectoryOffset:
      (flags & VMDK_FLAGS.redundantDirectory) === 0
        ? undefined
        : header.redundantDirectoryOffset * BigInt(SECTOR),
    dataOffset: placeIn(fileSize, header.overhead, 0, "metadata"),
    isCompressed,
    hasZeroGrains: (flags & VMDK_FLAGS.zeroGrains) !== 0,
  };
}

/** Checks what kind of file it is; whether it is compressed. */
function checkKind({ version, flags, newlines, compression }: VmdkHeader): boolean {
  if (version < 1 || version > 3) unsupported(`it has version ${version}; 1 to 3 are read`);
  const unknown = (flags & INCOMPATIBLE_FLAGS & ~KNOWN_FLAGS) >>> 0;
  if (unknown !== 0) unsupported(`it has flags that are not known: 0x${unknown.toString(16)}`);
  const hasNewlines = (flags & VMDK_FLAGS.newlines) !== 0;
  if (hasNewlines && !NEWLINES.every((byte, index) => byte === newlines[index])) {
    damaged("its ends of lines were changed: it was transferred as text, transfer it again as binary data");
  }
  if (compression > ZLIB) unsupported(`it is compressed by a way of number ${compression}; zlib is ${ZLIB}`);
  const isCompressed = (flags & VMDK_FLAGS.compressed) !== 0;
  if (isCompressed !== (compression === ZLIB)) {
    damaged("its flags and its way of compression contradict each other");
  }
  const hasMarkers = (flags & VMDK_FLAGS.markers) !== 0;
  if (isCompressed && !hasMarkers) unsupported("its compressed grains have no markers");
  if (hasMarkers && !isCompressed) damaged("it has markers of grains, but is not compressed");
  return isCompressed;
}

/** Where something of so many bytes is, in bytes. It is in the file, and not in the header. */
function placeIn(fileSize: number, sector: bigint, length: number, what: string): number {
  const end = sector * BigInt(SECTOR) + BigInt(length);
  if (end > BigInt(fileSize)) {
    damaged(`its ${what} should end at byte ${end}, but the file ends at ${fileSize}: it was cut off`);
  }
  if (sector === 0n) damaged(`its ${what} lies in its header`);
  return Number(sector) * SECTOR;
}

/** A descriptor is never longer. */
const LARGEST_DESCRIPTOR = 1024 * 1024;

/** The bytes of the descriptor within a sparse file. */
export async function descriptorBytes(
  file: ByteSource,
  { descriptorOffset, descriptorSize }: VmdkHeader,
): Promise<Uint8Array> {
  if (descriptorOffset === 0n || descriptorSize === 0n) return refusePart();
  if (descriptorSize > BigInt(LARGEST_DESCRIPTOR / SECTOR)) {
    damaged(`its descriptor has ${descriptorSize} sectors, ${LARGEST_DESCRIPTOR / SECTOR} are possible`);
  }
  const length = Number(descriptorSize) * SECTOR;
  const position = placeIn(file.size, descriptorOffset, length, "descriptor");
  const bytes = await readExactly(file, position, length, "the descriptor of the vmdk file");
  return bytes[0] === 0 ? refusePart() : bytes;
}

/** The parts of a disk that is split have no descriptor, or, as qemu writes them, one of zeros. */
function refusePart(): never {
  return unsupported(
    "it has no descriptor, so that it is one of several files that a disk lies in: convert them as a whole, by the file that names them (qemu-img convert)",
  );
}

/** The text of a descriptor file, as far as it is looked at. */
export async function descriptorFileBytes(file: ByteSource): Promise<Uint8Array> {
  return await file.read(0, Math.min(file.size, LARGEST_DESCRIPTOR));
}
