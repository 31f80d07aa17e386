import { printable, utf8 } from "../bytes/index.ts";
import { type Ext4Volume, ext4OptionsOf, openExt4 } from "../ext4/index.ts";
import type { ByteSource, CancelSignal } from "../extents/index.ts";
import { type FatVolume, readFat } from "../fat32/index.ts";
import type { LayoutFilesystem } from "../layouts/index.ts";
import type { Tree } from "../tree/index.ts";
import { ext4Tree } from "./ext4-tree.ts";
import { fatTree } from "./fat-tree.ts";

/** A filesystem that was read, as a layout asks for it, and what it holds. */
export interface FoundFilesystem {
  readonly filesystem: LayoutFilesystem;
  readonly tree: Tree;
  readonly warnings: readonly string[];
}

/** What is known of a filesystem beforehand. */
export interface FilesystemHints {
  readonly keepLostAndFound?: boolean | undefined;
  /** The place of the last mount to be told of, in place of the one that is told. */
  readonly lastMounted?: string | undefined;
  readonly signal?: CancelSignal | undefined;
}

/** A filesystem that is there, of a kind that can be read. */
export type OpenVolume =
  | { readonly type: "ext4"; readonly volume: Ext4Volume }
  | { readonly type: "fat"; readonly volume: FatVolume };

/** Opens the filesystem in a partition; `undefined` when there is none that can be read. */
export async function openVolume(partition: ByteSource): Promise<OpenVolume | undefined> {
  const ext4 = await openExt4(partition);
  if (ext4 !== undefined) return { type: "ext4", volume: ext4 };
  const fat = await readFat(partition);
  return fat && { type: "fat", volume: fat };
}

/**
 * What a filesystem is and what it holds.
 *
 * @throws DiskwrightError `INVALID_FILESYSTEM` for an ext4 that cannot be written so, and what the taking of its tree
 *   throws.
 */
export async function takeFilesystem(
  partition: ByteSource,
  found: OpenVolume,
  hints: FilesystemHints = {},
): Promise<FoundFilesystem> {
  return found.type === "ext4"
    ? await takeExt4(partition, found.volume, hints)
    : await takeFat(partition, found.volume, hints);
}

async function takeExt4(
  partition: ByteSource,
  volume: Ext4Volume,
  hints: FilesystemHints,
): Promise<FoundFilesystem> {
  const { uuid, label, size, ...asked } = ext4OptionsOf(volume);
  const { tree, warnings } = await ext4Tree(volume, hints);
  const options = hints.lastMounted === undefined ? asked : { ...asked, lastMounted: hints.lastMounted };
  return {
    filesystem: { type: "ext4", uuid, label, options, size: ownSize(size!, partition) },
    tree,
    warnings: [...warnings, ...(await bootBlockWarnings(partition))],
  };
}

async function takeFat(
  partition: ByteSource,
  volume: FatVolume,
  hints: FilesystemHints,
): Promise<FoundFilesystem> {
  const { tree, warnings } = await fatTree(volume, hints);
  const { label, serial, sectorsPerCluster, layout, size } = volume;
  const isChanged = label !== label.toUpperCase();
  return {
    filesystem: {
      type: "fat",
      label,
      serial,
      bits: layout.format.bits,
      // The reader takes no others.
      sectorSize: layout.sectorSize as 512 | 1024 | 2048 | 4096,
      sectorsPerCluster,
      size: ownSize(size, partition),
    },
    tree,
    warnings: isChanged ? [...warnings, `the label "${shown(label)}" becomes upper case`] : warnings,
  };
}

function shown(text: string): string {
  return printable(utf8(text));
}

/** The size of a filesystem, where that is not the one of its partition. */
function ownSize(size: number, partition: ByteSource): number | undefined {
  return size === partition.size ? undefined : size;
}

/** What boot loaders put before an ext4 filesystem leads to blocks in it, which will lie elsewhere. */
const BOOT_BLOCK = 1024;

async function bootBlockWarnings(partition: ByteSource): Promise<string[]> {
  const bytes = await partition.read(0, BOOT_BLOCK);
  if (bytes.every((byte) => byte === 0)) return [];
  return [
    "the boot code before the filesystem (its first 1024 bytes) is not kept: it leads to places in the filesystem, which change",
  ];
}
