import { formatBytes } from "../bytes/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import type { Claims } from "./claims.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  ALIGNMENT,
  BAT_REGION,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  HEADER_VERSION,
  isSealed,
  LOG_SECTOR,
  LOG_SIGNATURE,
  logEntry,
  METADATA_REGION,
  MOST_ENTRIES,
  NO_LOG,
  REGION_REQUIRED,
  REGION_TABLE_OFFSETS,
  REGION_TABLE_SIGNATURE,
  REGION_TABLE_SIZE,
  regionEntry,
  regionTableHeader,
  type VhdxHeader,
  vhdxHeader,
} from "./structures.ts";

/** A part of the file, in bytes. */
export interface Region {
  readonly offset: number;
  readonly length: number;
}

/** What the first 1 MiB says. */
export interface HeaderSection {
  readonly bat: Region;
  readonly metadata: Region;
  /** What is wrong and does not matter, for there is a second copy. */
  readonly problems: readonly string[];
}

/**
 * Reads headers and region tables, and takes the places of log and regions.
 *
 * @throws DiskwrightError `CORRUPT`, `UNSUPPORTED_IMAGE`
 */
export async function readHeaderSection(file: ByteSource, claims: Claims): Promise<HeaderSection> {
  const problems: string[] = [];
  const header = await currentHeader(file, problems);
  if (header.version !== HEADER_VERSION) {
    unsupported(`it has version ${header.version}, ${HEADER_VERSION} is read`);
  }
  const log = takeRegion({ offset: header.logOffset, length: header.logLength }, "its log", claims);
  if (header.logGuid !== NO_LOG && !(await isLogEmpty(file, log, header.logGuid))) {
    unsupported(
      "its log holds changes that are not in their places yet, as after a crash: open it once with Hyper-V, or run qemu-img check -r all on it",
    );
  }
  const regions = regionsOf(await regionTable(file, problems), claims);
  const [bat, metadata] = [regions.get(BAT_REGION), regions.get(METADATA_REGION)];
  if (bat === undefined) return damaged("it has no region for the block allocation table");
  if (metadata === undefined) return damaged("it has no region for metadata");
  return { bat, metadata, problems };
}

/** The header that counts: the one with the greater number, when both are sound (§2.2.2). */
async function currentHeader(file: ByteSource, problems: string[]): Promise<VhdxHeader> {
  const [first, second] = await soundCopies(
    file,
    HEADER_OFFSETS,
    vhdxHeader.span,
    HEADER_SIGNATURE,
    "header",
  );
  if (first === undefined || second === undefined) {
    const sound = first ?? second;
    if (sound === undefined) return damaged("neither of its headers has its signature and checksum");
    problems.push(copyProblem("header", first === undefined));
    return vhdxHeader.fromBytes(sound);
  }
  const [a, b] = [vhdxHeader.fromBytes(first), vhdxHeader.fromBytes(second)];
  // Disk2vhd writes the same header twice.
  if (a.sequenceNumber === b.sequenceNumber && !isSame(first, second)) {
    damaged(`both of its headers have the number ${a.sequenceNumber}, but say different things`);
  }
  return a.sequenceNumber > b.sequenceNumber ? a : b;
}

/** Whether no entry of the log is of the header's time: then nothing has to be replayed (§2.3.3). */
async function isLogEmpty(file: ByteSource, { offset, length }: Region, logGuid: string): Promise<boolean> {
  for (let part = offset; part < offset + length; part += ALIGNMENT) {
    const bytes = await readExactly(file, part, ALIGNMENT, "the log of the vhdx file");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < ALIGNMENT; at += LOG_SECTOR) {
      if (view.getUint32(at, true) !== LOG_SIGNATURE) continue;
      if (logEntry.fromBytes(bytes, at).logGuid === logGuid) return false;
    }
  }
  return true;
}

async function regionTable(file: ByteSource, problems: string[]): Promise<Uint8Array> {
  const [first, second] = await soundCopies(
    file,
    REGION_TABLE_OFFSETS,
    REGION_TABLE_SIZE,
    REGION_TABLE_SIGNATURE,
    "region table",
  );
  const sound = first ?? second;
  if (sound === undefined) return damaged("neither of its region tables has its signature and checksum");
  if (first === undefined || second === undefined) {
    problems.push(copyProblem("region table", first === undefined));
  } else if (!isSame(first, second)) {
    problems.push("the region tables of the vhdx file differ; the first one is used");
  }
  return sound;
}

/** Both copies of a structure, as far as they are sound. */
async function soundCopies(
  file: ByteSource,
  offsets: readonly [number, number],
  size: number,
  signature: number,
  name: string,
): Promise<readonly [Uint8Array | undefined, Uint8Array | undefined]> {
  const sound = async (copy: 0 | 1): Promise<Uint8Array | undefined> => {
    const bytes = await readExactly(file, offsets[copy], size, `${name} ${1 + copy} of the vhdx file`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return view.getUint32(0, true) === signature && isSealed(bytes) ? bytes : undefined;
  };
  return [await sound(0), await sound(1)];
}

function copyProblem(name: string, isFirst: boolean): string {
  const [bad, good] = isFirst ? [1, 2] : [2, 1];
  return `${name} ${bad} of the vhdx file is damaged; ${name} ${good} is used`;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, index) => byte === b[index]);
}

/** The regions by their identifiers (§2.2.3.2). */
function regionsOf(table: Uint8Array, claims: Claims): ReadonlyMap<string, Region> {
  const { entryCount } = regionTableHeader.fromBytes(table);
  if (entryCount > MOST_ENTRIES) damaged(`it has ${entryCount} regions, ${MOST_ENTRIES} are possible`);
  const regions = new Map<string, Region>();
  for (let index = 0; index < entryCount; index++) {
    const entry = regionEntry.fromBytes(table, regionTableHeader.span + index * regionEntry.span);
    const { id, flags } = entry;
    if (id !== BAT_REGION && id !== METADATA_REGION && (flags & REGION_REQUIRED) !== 0) {
      unsupported(`it cannot be understood without its region ${id}, which is none that is known`);
    }
    if (regions.has(id)) damaged(`it has two regions ${id}`);
    regions.set(id, takeRegion(entry, `its region ${id}`, claims));
  }
  return regions;
}

function takeRegion(
  { offset, length }: { readonly offset: bigint; readonly length: number },
  what: string,
  claims: Claims,
): Region {
  if (offset % BigInt(ALIGNMENT) !== 0n || length % ALIGNMENT !== 0) {
    damaged(`${what} has ${formatBytes(length)} at byte ${offset}, not in multiples of 1 MiB`);
  }
  // An offset that is no exact number any more is beyond every file.
  const region = { offset: Number(offset), length };
  claims.take(region.offset, length, what);
  return region;
}
