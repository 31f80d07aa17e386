import { parseSize } from "../bytes/index.ts";
import type { RootSource, Sources } from "../compose/index.ts";
import type { Ext4Tuning } from "../layouts/index.ts";
import { parseOwner } from "../ownership/index.ts";
import type { RootFilesystemSpec } from "./filesystem.ts";
import type { SourcesSpec } from "./sources.ts";

// From what fields of a spec say to what the library takes, where that needs little.

type SizeSpec = number | string;

/** Bytes of a size as a spec has it. */
export function bytesOf(size: SizeSpec): number {
  return typeof size === "number" ? size : parseSize(size);
}

/** A value converted, when there is one. */
export function maybe<Value, Result>(
  value: Value | undefined,
  convert: (value: Value) => Result,
): Result | undefined {
  return value === undefined ? undefined : convert(value);
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === "string" ? [value] : value;
}

/** Names, which may be one text with commas between. */
export function namesOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return listOf(value)?.flatMap((text) => text.split(",").map((name) => name.trim()));
}

/** What goes in, with every field in its long form. */
export function sourcesOf(spec: SourcesSpec): Sources {
  const { root, storePaths } = spec;
  const roots = root === undefined ? undefined : Array.isArray(root) ? root : [root];
  return {
    root: roots?.map(rootSource),
    contents: spec.contents,
    exclude: listOf(spec.exclude),
    directories: spec.directories,
    symlinks: spec.symlinks,
    files: spec.files,
    storePaths,
    onlyNixStore: spec.onlyNixStore,
    manifest: listOf(spec.manifest),
    owner: spec.owner,
    ...idMapsOf(spec),
    xattrs: spec.xattrs,
    holes: spec.holes,
    hardLinks: spec.hardLinks,
    links: spec.links,
  };
}

type RootSpec = Exclude<NonNullable<SourcesSpec["root"]>, readonly unknown[]>;

function rootSource(root: RootSpec): RootSource {
  if (typeof root === "string") return splitTarget(root);
  return { ...root, ...idMapsOf(root), exclude: listOf(root.exclude) };
}

/** `SOURCE:/target`; a capital letter alone before the colon is a drive of Windows. */
function splitTarget(text: string): RootSource {
  const match = /^(.{2,}|[^A-Z]):(\/.*)$/s.exec(text);
  return match === null ? { source: text } : { source: match[1]!, target: match[2]! };
}

function idMapsOf(spec: Pick<SourcesSpec, "idMap" | "uidMap" | "gidMap">) {
  return { idMap: listOf(spec.idMap), uidMap: listOf(spec.uidMap), gidMap: listOf(spec.gidMap) };
}

const DAY = 86_400;

/** How an ext4 filesystem is made. */
export function ext4TuningOf(spec: RootFilesystemSpec): Ext4Tuning {
  return {
    type: spec.type,
    features: namesOf(spec.features),
    blockSize: spec.blockSize as Ext4Tuning["blockSize"],
    inodeSize: spec.inodeSize,
    inodes: spec.inodes,
    bytesPerInode: maybe(spec.bytesPerInode, bytesOf),
    journalSize: maybe(spec.journalSize, bytesOf),
    growTo: maybe(spec.growTo, bytesOf),
    reservedPercent: spec.reserved,
    reservedFor: maybe(spec.reservedFor, parseOwner),
    rootOwner: maybe(spec.rootOwner, parseOwner),
    hashSeed: spec.hashSeed,
    directoryHash: spec.directoryHash,
    nameCharacters: spec.nameCharacters,
    stride: spec.stride,
    stripeWidth: spec.stripeWidth,
    defaultMountOptions: namesOf(spec.defaultMountOptions) as Ext4Tuning["defaultMountOptions"],
    mountOptions: spec.mountOptions,
    lastMounted: spec.lastMounted,
    errors: spec.errors,
    checkAfterMounts: spec.checkAfter,
    checkInterval: maybe(spec.checkInterval, (days) => days * DAY),
  };
}
