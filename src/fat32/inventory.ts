import { appendAll, formatBytes, utf8Text } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import { fileMode, type Tree, without } from "../tree/index.ts";
import {
  encodeShortName,
  foldedName,
  isDeviceName,
  joinShort,
  longNameEntries,
  longNameProblem,
  NameRegister,
  SHORT_NAME_SIZE,
  type ShortNameBasis,
  shortNameBasis,
} from "./names.ts";
import { ENTRY_SIZE, LARGEST_FILE, MOST_DIRECTORY_ENTRIES } from "./structures.ts";
import { LATEST_TIME } from "./time.ts";

/**
 * What a tree asks of a FAT volume, whatever its kind and size: the names of the entries, and how many
 * entries each directory has. A directory entry is 32 bytes; a long name takes several.
 */
export interface Inventory {
  readonly tree: Tree;
  /** Entries that each row takes in its directory; 0 for the root and for what is left out. */
  readonly slots: Uint8Array;
  /** The short name of each row, eleven bytes each. */
  readonly shortNames: Uint8Array;
  /** Entries of each directory, with `.` and `..` and the label; by row. */
  readonly directorySlots: Uint32Array;
  /** Paths of what FAT cannot hold and was left out on request. */
  readonly skipped: readonly string[];
  readonly warnings: readonly string[];
}

/** How a tree is to be taken. */
export interface InventoryOptions {
  /** Whether the root directory has an entry for the label. */
  readonly hasLabel: boolean;
  readonly unsupported: "error" | "skip";
  /** Later times become this one, in seconds since 1970. */
  readonly latestTime: number;
}

/**
 * Takes stock of a tree. What FAT cannot hold is refused, or left out on request: symlinks, devices, files of
 * 4 GiB and more, names that it cannot have or cannot tell apart.
 *
 * @throws DiskwrightError naming everything that FAT cannot hold: `UNSUPPORTED_ENTRY` when there are symlinks
 *   or the like, `INVALID_TREE` when only names and sizes are wrong.
 */
export function takeInventory(tree: Tree, options: InventoryOptions): Inventory {
  const problems: string[] = [];
  const unsupported: string[] = [];
  const skipped: string[] = [];
  const warnings: string[] = [];
  /** Rows that are left out on request, though FAT could hold their kind: names and sizes. */
  const dropped = new Set<number>();
  const isSkipping = options.unsupported === "skip";
  const refuse = (row: number, problem: string): void => {
    if (isSkipping) dropped.add(row);
    else problems.push(problem);
  };
  const slots = new Uint8Array(tree.length);
  const shortNames = new Uint8Array(SHORT_NAME_SIZE * tree.length);
  const directorySlots = new Uint32Array(tree.length);

  for (let row = 0; row < tree.length; row++) {
    const type = tree.typeBits(row);
    if (type === fileMode.DIRECTORY) {
      nameChildren(tree, row, slots, shortNames, refuse, warnings);
    } else if (type === fileMode.FILE) {
      const size = tree.columns.size[row]!;
      if (size > LARGEST_FILE) {
        refuse(
          row,
          `${tree.displayPath(row)}: the file has ${formatBytes(size)}, the limit of FAT is ` +
            `${formatBytes(LARGEST_FILE)}: keep it elsewhere or split it`,
        );
      }
    } else {
      const path = tree.displayPath(row);
      if (isSkipping) skipped.push(path);
      else unsupported.push(`${path}: FAT cannot hold a ${kindOf(type)}: leave it out or skip such entries`);
      continue;
    }
    if (Math.min(tree.columns.mtimeSeconds[row]!, options.latestTime) > LATEST_TIME) {
      warnings.push(`${tree.displayPath(row)}: the time lies after 2107, the last year of FAT, and is moved`);
    }
  }

  if (dropped.size > 0) {
    const inventory = takeInventory(without(tree, dropped), options);
    const left = [...dropped].map((row) => tree.displayPath(row));
    return { ...inventory, skipped: [...left, ...inventory.skipped] };
  }

  for (let row = 0; row < tree.length; row++) {
    if (!tree.isDirectory(row)) continue;
    const count = directoryEntries(tree, row, slots, options.hasLabel);
    directorySlots[row] = count;
    if (count > MOST_DIRECTORY_ENTRIES) {
      problems.push(
        `${tree.displayPath(row)}: the directory needs ${count} entries of ${ENTRY_SIZE} bytes for its ` +
          `${tree.columns.childCount[row]!} names, the limit is ${MOST_DIRECTORY_ENTRIES}: ` +
          "spread them over more directories, or shorten them",
      );
    }
  }
  if (unsupported.length > 0) {
    throwProblems("UNSUPPORTED_ENTRY", "FAT cannot hold the tree", [...unsupported, ...problems]);
  }
  throwProblems("INVALID_TREE", "FAT cannot hold the tree", problems);
  appendAll(warnings, xattrWarnings(tree));
  return { tree, slots, shortNames, directorySlots, skipped, warnings };
}

function kindOf(typeBits: number): string {
  switch (typeBits) {
    case fileMode.SYMLINK:
      return "symlink";
    case fileMode.CHARACTER_DEVICE:
    case fileMode.BLOCK_DEVICE:
      return "device";
    case fileMode.FIFO:
      return "fifo";
    case fileMode.SOCKET:
      return "socket";
    default:
      return "entry of unknown type";
  }
}

/** How many paths a warning about many entries names. */
const NAMED_PATHS = 3;

/** One warning for all extended attributes: where there are some, a security policy labels every file. */
function xattrWarnings(tree: Tree): string[] {
  if (tree.extras.xattrs.isEmpty) return [];
  let count = 0;
  const paths: string[] = [];
  for (let row = 0; row < tree.length; row++) {
    if (!isStorable(tree, row) || tree.xattrs(row) === undefined) continue;
    if (count++ < NAMED_PATHS) paths.push(tree.displayPath(row));
  }
  if (count === 0) return [];
  const entries = count === 1 ? "1 entry has" : `${count} entries have`;
  const more = count > NAMED_PATHS ? " …" : "";
  return [`${entries} extended attributes, which FAT cannot hold: ${paths.join(", ")}${more}`];
}

/** Whether FAT can hold what is in a row. */
function isStorable(tree: Tree, row: number): boolean {
  return tree.isFile(row) || tree.isDirectory(row);
}

/**
 * Gives the children of a directory their short names. Names that are short names as they are come first, so
 * that none of them is taken by a made-up one; the others follow in the order of the tree.
 */
function nameChildren(
  tree: Tree,
  directory: number,
  slots: Uint8Array,
  shortNames: Uint8Array,
  refuse: (row: number, problem: string) => void,
  warnings: string[],
): void {
  const first = tree.columns.firstChild[directory]!;
  const end = first + tree.columns.childCount[directory]!;
  const register = new NameRegister();
  const unnamed: { readonly row: number; readonly basis: ShortNameBasis }[] = [];
  for (let row = first; row < end; row++) {
    if (!isStorable(tree, row)) continue;
    const name = utf8Text(tree.name(row));
    const problem = name === undefined ? "the name is not UTF-8: rename it" : longNameProblem(name);
    if (name === undefined || problem !== undefined) {
      refuse(row, `${tree.displayPath(row)}: ${problem}`);
      continue;
    }
    const owner = register.claim(foldedName(name), row);
    if (owner !== undefined) {
      refuse(
        row,
        `${tree.displayPath(owner)} and ${tree.displayPath(row)}: FAT cannot tell these names apart, ` +
          "as it ignores case: rename one",
      );
      continue;
    }
    if (isDeviceName(name)) {
      warnings.push(`${tree.displayPath(row)}: DOS and Windows take this name for a device`);
    }
    const basis = shortNameBasis(name);
    const short = joinShort(basis.base, basis.extension);
    // A name that is a short name as it is must not have a long one as well: Linux then finds it in any case
    // of letters (systemd pull request 3770).
    slots[row] = short === name ? 1 : 1 + longNameEntries(name.length);
    if (basis.isWhole) encodeShortName(short, shortNames, SHORT_NAME_SIZE * row);
    else unnamed.push({ row, basis });
  }
  for (const { row, basis } of unnamed) {
    encodeShortName(register.tailed(basis, row), shortNames, SHORT_NAME_SIZE * row);
  }
}

function directoryEntries(tree: Tree, row: number, slots: Uint8Array, hasLabel: boolean): number {
  const first = tree.columns.firstChild[row]!;
  const end = first + tree.columns.childCount[row]!;
  let entries = row === 0 ? (hasLabel ? 1 : 0) : 2;
  for (let child = first; child < end; child++) entries += slots[child]!;
  return entries;
}

/** Clusters that the directory in a row has. The root of FAT12 and FAT16 lies before the clusters. */
export function directoryClusters(
  inventory: Inventory,
  row: number,
  bits: number,
  clusterSize: number,
): number {
  if (row === 0 && bits !== 32) return 0;
  return Math.max(1, Math.ceil((inventory.directorySlots[row]! * ENTRY_SIZE) / clusterSize));
}

/** Clusters that the file in a row has. A hard link is a file of its own, as FAT knows no links. */
export function fileClusters(inventory: Inventory, row: number, clusterSize: number): number {
  return Math.ceil(inventory.tree.columns.size[row]! / clusterSize);
}

/** Clusters that a tree takes. */
export interface TreeClusters {
  readonly directories: number;
  readonly files: number;
}

/** Counts the clusters of a tree for one size of cluster, in bytes. */
export function treeClusters(inventory: Inventory, bits: number, clusterSize: number): TreeClusters {
  const { tree } = inventory;
  let directories = 0;
  let files = 0;
  for (let row = 0; row < tree.length; row++) {
    if (tree.isDirectory(row)) directories += directoryClusters(inventory, row, bits, clusterSize);
    else if (tree.isFile(row)) files += fileClusters(inventory, row, clusterSize);
  }
  return { directories, files };
}

/** A row's clusters, which always lie in a row. */
export interface Allocation {
  readonly row: number;
  readonly clusters: number;
}

/**
 * The rows that have clusters, in the order in which they lie: directories, then files, each in the order of
 * the tree and without gaps. So the first cluster of a row is all that has to be kept of where it lies.
 */
export function* allocations(inventory: Inventory, bits: number, clusterSize: number): Generator<Allocation> {
  const { tree } = inventory;
  for (let row = 0; row < tree.length; row++) {
    if (!tree.isDirectory(row)) continue;
    const clusters = directoryClusters(inventory, row, bits, clusterSize);
    if (clusters > 0) yield { row, clusters };
  }
  for (let row = 0; row < tree.length; row++) {
    if (!tree.isFile(row)) continue;
    const clusters = fileClusters(inventory, row, clusterSize);
    if (clusters > 0) yield { row, clusters };
  }
}
