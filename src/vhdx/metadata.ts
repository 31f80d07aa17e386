import { formatBytes } from "../bytes/index.ts";
import type { SectorSizes } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import type { Region } from "./header-section.ts";
import { isBlockSize, LARGEST_VHDX } from "./plan.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  METADATA_FLAGS,
  METADATA_ITEMS,
  METADATA_SIGNATURE,
  METADATA_TABLE_SIZE,
  type MetadataEntry,
  type MetadataItem,
  type MetadataItems,
  MOST_ENTRIES,
  metadataEntry,
  metadataTableHeader,
  PARAMETER_FLAGS,
  PARENT_LOCATOR,
} from "./structures.ts";

/** What the metadata says of the disk. */
export interface Metadata {
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Whether all blocks are to have their place. */
  readonly isFixed: boolean;
  /** Bytes of the disk. */
  readonly size: number;
  readonly id: string;
  readonly sectors: SectorSizes;
}

const KNOWN_ITEMS: ReadonlySet<string> = new Set([
  PARENT_LOCATOR,
  ...Object.values(METADATA_ITEMS).map(({ id }) => id),
]);

/**
 * Reads the metadata region (§2.6).
 *
 * @throws DiskwrightError `CORRUPT`, `UNSUPPORTED_IMAGE`
 */
export async function readMetadata(file: ByteSource, region: Region): Promise<Metadata> {
  const entries = await readEntries(file, region);

  async function item<Name extends keyof MetadataItems>(name: Name): Promise<MetadataItems[Name]> {
    const { id, field } = METADATA_ITEMS[name] as MetadataItem<MetadataItems[Name]>;
    const entry = entries.get(id);
    if (entry === undefined) return damaged(`its metadata has no ${name} (${id})`);
    checkEntry(entry, field.span, region, name);
    const bytes = await readExactly(
      file,
      region.offset + entry.offset,
      field.span,
      `${name} of the vhdx file`,
    );
    return field.decode(bytes, 0);
  }

  const { blockSize, flags } = await item("fileParameters");
  if ((flags & PARAMETER_FLAGS.hasParent) !== 0 || entries.has(PARENT_LOCATOR)) {
    unsupported("it is a difference to another disk: merge them first (Merge-VHD)");
  }
  if (!isBlockSize(blockSize)) {
    damaged(`its blocks have ${formatBytes(blockSize)}, not a power of two from 1 MiB to 256 MiB`);
  }
  const sectorSize = sectorSizeOf("logical", await item("logicalSectorSize"));
  const physical = sectorSizeOf("physical", await item("physicalSectorSize"));
  const size = await item("virtualDiskSize");
  if (size > BigInt(LARGEST_VHDX)) unsupported(`its disk has ${size} bytes, at most 64 TiB are read`);
  if (size % BigInt(sectorSize) !== 0n) {
    damaged(`the disk's size of ${size} bytes is no multiple of its sectors of ${sectorSize} bytes`);
  }
  return {
    blockSize,
    isFixed: (flags & PARAMETER_FLAGS.leaveBlocksAllocated) !== 0,
    size: Number(size),
    id: await item("virtualDiskId"),
    sectors: { logical: sectorSize, physical },
  };
}

function sectorSizeOf(which: string, bytes: number): 512 | 4096 {
  if (bytes === 512 || bytes === 4096) return bytes;
  return damaged(`its ${which} sectors have ${formatBytes(bytes)}, not 512 or 4096`);
}

/** The entries of the format itself, by their identifiers (§2.6.1). */
async function readEntries(file: ByteSource, region: Region): Promise<ReadonlyMap<string, MetadataEntry>> {
  if (region.length < METADATA_TABLE_SIZE) damaged(`its metadata has ${formatBytes(region.length)}`);
  const table = await readExactly(file, region.offset, METADATA_TABLE_SIZE, "the metadata of the vhdx file");
  const { signature, entryCount } = metadataTableHeader.fromBytes(table);
  if (!signature.every((byte, index) => byte === METADATA_SIGNATURE[index])) {
    damaged("its metadata does not start with its signature");
  }
  if (entryCount > MOST_ENTRIES)
    damaged(`its metadata has ${entryCount} items, ${MOST_ENTRIES} are possible`);
  const entries = new Map<string, MetadataEntry>();
  for (let index = 0; index < entryCount; index++) {
    const entry = metadataEntry.fromBytes(table, metadataTableHeader.span + index * metadataEntry.span);
    const { id, flags } = entry;
    const isKnown = KNOWN_ITEMS.has(id) && (flags & METADATA_FLAGS.user) === 0;
    if (!isKnown && (flags & METADATA_FLAGS.required) !== 0) {
      unsupported(`it cannot be understood without item ${id} of its metadata, which is none that is known`);
    }
    if (!isKnown) continue;
    if (entries.has(id)) damaged(`its metadata has item ${id} twice`);
    entries.set(id, entry);
  }
  return entries;
}

function checkEntry({ offset, length }: MetadataEntry, span: number, region: Region, name: string): void {
  if (length !== span) damaged(`${name} in its metadata has ${formatBytes(length)} in place of ${span}`);
  if (offset < METADATA_TABLE_SIZE || offset + length > region.length) {
    damaged(
      `${name} lies at byte ${offset} of its metadata, which has items at ${METADATA_TABLE_SIZE} to ${region.length}`,
    );
  }
}
