import { array, bytes, type RecordType, record, reserved, u8, u16, u32 } from "../bytes/index.ts";

/** One partition of a boot record. Addresses and counts are in sectors of the disk. */
export interface PartitionEntry {
  /** {@link ACTIVE} or 0. */
  readonly status: number;
  /** Cylinder, head and sector of the first sector, packed; see `chs.ts`. */
  readonly firstChs: Uint8Array;
  /** What the partition holds; 0 marks an entry that is not used. */
  readonly type: number;
  readonly lastChs: Uint8Array;
  readonly firstLba: number;
  readonly sectors: number;
}

/** A 16-byte entry (UEFI 2.10 §5.2.1, table 5-3). */
export const partitionEntry: RecordType<PartitionEntry> = record({
  status: u8, // 0x0
  firstChs: bytes(3), // 0x1
  type: u8, // 0x4
  lastChs: bytes(3), // 0x5
  firstLba: u32, // 0x8
  sectors: u32, // 0xc
});

/** A boot record: sector 0 of a disk, or one link of the chain of logical partitions. */
export interface BootRecord {
  readonly bootCode: Uint8Array;
  /** Identifies the disk; zero in a protective MBR and in extended boot records. */
  readonly signature: number;
  readonly partitions: readonly PartitionEntry[];
  readonly bootSignature: number;
}

/** The 512 bytes at the start of sector 0, whatever the sector size (UEFI 2.10 §5.2.1, table 5-1). */
export const bootRecord: RecordType<BootRecord> = record({
  bootCode: bytes(440), // 0x0
  signature: u32, // 0x1b8
  unknown: reserved(2), // 0x1bc; Windows marks disks as read-only with 0x5a5a
  partitions: array(partitionEntry, 4), // 0x1be
  bootSignature: u16, // 0x1fe
});

/** The bytes 55 AA that end every boot record. */
export const BOOT_SIGNATURE = 0xaa55;

/** The status of the partition that boot code starts. */
export const ACTIVE = 0x80;

/** Entries of one boot record. */
export const PRIMARY_ENTRIES = 4;

/** The largest boot code: the disk signature follows it. */
export const BOOT_CODE_SIZE = 440;

/** An entry that is not used. */
export const EMPTY_ENTRY: PartitionEntry = {
  status: 0,
  firstChs: new Uint8Array(3),
  type: 0,
  lastChs: new Uint8Array(3),
  firstLba: 0,
  sectors: 0,
};

/** Whether nothing at all is written in an entry. */
export function isEmptyEntry(entry: PartitionEntry): boolean {
  return entry.status === 0 && entry.type === 0 && entry.firstLba === 0 && entry.sectors === 0;
}

/** The bytes of a boot record with up to four entries, filled into a sector of `sectorSize` bytes. */
export function bootRecordSector(
  sectorSize: number,
  entries: readonly PartitionEntry[],
  { signature = 0, bootCode = new Uint8Array(0) }: { signature?: number; bootCode?: Uint8Array } = {},
): Uint8Array {
  const partitions = Array.from({ length: PRIMARY_ENTRIES }, (_, index) => entries[index] ?? EMPTY_ENTRY);
  const sector = new Uint8Array(sectorSize);
  sector.set(bootRecord.toBytes({ bootCode, signature, partitions, bootSignature: BOOT_SIGNATURE }));
  return sector;
}
