import { array, bytes, type RecordType, type RecordValue, record, reserved, u8 } from "../bytes/index.ts";

/** Bytes of a block: headers are one each, content is padded to whole ones. */
export const BLOCK = 512;

const headerFields = {
  name: bytes(100), // 0x000
  mode: bytes(8), // 0x064
  uid: bytes(8), // 0x06c
  gid: bytes(8), // 0x074
  size: bytes(12), // 0x07c
  mtime: bytes(12), // 0x088
  checksum: bytes(8), // 0x094
  typeflag: u8, // 0x09c
  linkName: bytes(100), // 0x09d
  magic: bytes(8), // 0x101, with the version
  userName: bytes(32), // 0x109
  groupName: bytes(32), // 0x129
  major: bytes(8), // 0x149
  minor: bytes(8), // 0x151
  prefix: bytes(155), // 0x159
  padding: reserved(12), // 0x1f4
} as const;

export type TarHeader = RecordValue<typeof headerFields>;

/** The header of POSIX (IEEE 1003.1 "pax", ustar interchange format). Numbers are text. */
export const tarHeader: RecordType<TarHeader> = record(headerFields);

type HeaderField = Exclude<keyof TarHeader, "typeflag">;

const PLACES = new Map(
  Object.entries(headerFields).map(([name, { span }]) => [name, { start: tarHeader.offsetOf(name), span }]),
);

/** The bytes of a field of a header, as they lie there: archives have headers by the hundred thousand. */
export function headerField(header: Uint8Array, name: HeaderField): Uint8Array {
  const { start, span } = PLACES.get(name)!;
  return header.subarray(start, start + span);
}

const sparseEntryFields = { offset: bytes(12), length: bytes(12) } as const;
const sparseEntry = record(sparseEntryFields);

const gnuFields = {
  before: reserved(386), // what POSIX has, up to its prefix, and times
  sparse: array(sparseEntry, 4), // 0x182
  isExtended: u8, // 0x1e2
  realSize: bytes(12), // 0x1e3
  padding: reserved(17), // 0x1ef
} as const;

/** What GNU tar has in place of the prefix, of a sparse file ("GNU tar", Basic Tar Format). */
export const gnuSparseHeader: RecordType<RecordValue<typeof gnuFields>> = record(gnuFields);

const extensionFields = {
  sparse: array(sparseEntry, 21), // 0x000
  isExtended: u8, // 0x1f8
  padding: reserved(7), // 0x1f9
} as const;

/** A block with more of the map of a sparse file. */
export const gnuSparseExtension: RecordType<RecordValue<typeof extensionFields>> = record(extensionFields);

/** What a member is, by the byte in its header. */
export const TYPE = {
  oldFile: 0x00,
  file: 0x30, // 0
  hardlink: 0x31, // 1
  symlink: 0x32, // 2
  character: 0x33, // 3
  block: 0x34, // 4
  directory: 0x35, // 5
  fifo: 0x36, // 6
  contiguous: 0x37, // 7
  paxHeader: 0x78, // x
  paxGlobal: 0x67, // g
  solarisHeader: 0x58, // X
  gnuLongName: 0x4c, // L
  gnuLongLink: 0x4b, // K
  gnuSparse: 0x53, // S
  gnuDumpDirectory: 0x44, // D
  gnuMultiVolume: 0x4d, // M
  gnuVolumeLabel: 0x56, // V
} as const;
