import { compareBytes, crc32cRegister } from "../../bytes/index.ts";
import type { Tree } from "../../tree/index.ts";
import {
  blockXattrRoom,
  compareXattrs,
  encodeInodeXattrs,
  encodeXattrBlock,
  inodeXattrRoom,
  type StoredXattr,
  signXattrBlock,
  storedXattr,
  valueInodeHash,
  xattrSize,
} from "./encode.ts";
import {
  ACCESS_ACL,
  DEFAULT_ACL,
  type XattrName,
  xattrName,
  xattrNameProblem,
  xattrValueProblem,
} from "./name.ts";
import { splitXattrs, type XattrSplit } from "./split.ts";

/** What a filesystem offers to extended attributes. Sizes are in bytes. */
export interface XattrFormat {
  readonly blockSize: number;
  /** Room in an inode behind its declared fields; 0 for inodes of 128 bytes. */
  readonly inodeRoom: number;
  /** The feature ea_inode: values too large for the block go into inodes of their own. */
  readonly mayUseInodes: boolean;
  /** What value inodes hash their values with: the filesystem's checksum seed. */
  readonly checksumSeed: number;
  /** Whether blocks carry checksums (metadata_csum). */
  readonly hasChecksums: boolean;
}

/** A value that gets an inode of its own. */
export interface XattrInodeValue {
  readonly value: Uint8Array;
  /** It lies in the inode's access time. */
  readonly hash: number;
  /** How many entries point to the inode. */
  readonly references: number;
}

/** The extended attributes of a whole tree, encoded and shared. A further hard link has those of the first. */
export interface XattrPlan {
  /** Blocks of attributes; equal ones are shared by up to 1024 inodes. */
  readonly blocks: number;
  readonly values: readonly XattrInodeValue[];
  /** What goes into the inode of a row, behind its declared fields; `undefined` when nothing does. */
  inInode(row: number): Uint8Array | undefined;
  /** Which block a row refers to, from 0 to before `blocks`; `undefined` when none. */
  blockOf(row: number): number | undefined;
  /** Blocks of values in other inodes, which the block count of the row's inode includes: they are its quota. */
  valueBlocks(row: number): number;
  /** The bytes of a block, final. The checksum covers the number of the block that it will have on disk. */
  encodeBlock(index: number, blockNumber: number): Uint8Array;
}

/** A kernel lets no more inodes share a block. */
const MOST_REFERENCES = 1024;

const NONE = 0xffffffff;

/**
 * Plans the extended attributes of a tree. Adds a line to `problems` for each entry whose attributes cannot
 * be stored. Values get the inodes from `firstValueInode` on. Returns `undefined` when no entry has any.
 */
export function planXattrs(
  tree: Tree,
  format: XattrFormat,
  firstValueInode: number,
  problems: string[],
): XattrPlan | undefined {
  const planner = new Planner(format, firstValueInode);
  let placementOf: Uint32Array | undefined;
  const report = (row: number, lines: readonly string[]): void => {
    for (const line of lines) problems.push(`${tree.displayPath(row)}: ${line}`);
  };
  for (let row = 0; row < tree.length; row++) {
    if (tree.isFurtherLink(row)) continue;
    const xattrs = tree.xattrs(row);
    if (xattrs === undefined || xattrs.size === 0) continue;
    placementOf ??= new Uint32Array(tree.length).fill(NONE);
    const set = planner.setOf(xattrs);
    if ("problems" in set) report(row, set.problems);
    else placementOf[row] = planner.place(set);
    if (!tree.isDirectory(row)) report(row, typeProblems(tree, row, xattrs));
  }
  return placementOf === undefined ? undefined : planner.finish(tree, placementOf);
}

/** What a non-directory cannot have: Linux knows no ACL on a symlink, and default ACLs on directories only. */
function typeProblems(tree: Tree, row: number, xattrs: ReadonlyMap<string, Uint8Array>): string[] {
  const problems: string[] = [];
  if (xattrs.has(DEFAULT_ACL)) problems.push(`only a directory can have "${DEFAULT_ACL}": remove it`);
  if (tree.isSymlink(row) && xattrs.has(ACCESS_ACL)) {
    problems.push(`a symlink cannot have "${ACCESS_ACL}": remove it`);
  }
  return problems;
}

/** The part of a set that lies in a block. Sets that are the same in this part share the block. */
interface BlockPart {
  readonly xattrs: readonly StoredXattr[];
  /** The block that is being given out, and its inodes so far. */
  block: number;
  references: number;
}

/** A distinct set of attributes. */
interface EncodedSet {
  /** The number of its area in an inode. */
  readonly area: number | undefined;
  /** The inodes of values that entries in the area refer to. */
  readonly valueInodes: readonly number[];
  readonly part: BlockPart | undefined;
  readonly valueBlocks: number;
  /** Where the set is placed as long as its block is being given out. */
  placement: number;
}

interface RefusedSet {
  readonly problems: readonly string[];
}

/** What the inodes of some rows with the same set have in common. */
interface Placement {
  readonly set: EncodedSet;
  readonly block: number | undefined;
}

class Planner {
  readonly #format: XattrFormat;
  readonly #firstValueInode: number;
  /** By identity: the sets that a source shares cost no more than this lookup. */
  readonly #setOf = new Map<ReadonlyMap<string, Uint8Array>, EncodedSet | RefusedSet>();
  readonly #names = new Map<string, XattrName>();
  readonly #sets = new Distinct<{
    readonly xattrs: readonly StoredXattr[];
    readonly set: EncodedSet | RefusedSet;
  }>();
  readonly #parts = new Distinct<BlockPart>();
  readonly #values = new Distinct<{ value: Uint8Array; hash: number; references: number }>();
  readonly #placements: Placement[] = [];
  readonly #areas: Areas;
  readonly #blocks: { readonly part: BlockPart; references: number }[] = [];

  constructor(format: XattrFormat, firstValueInode: number) {
    this.#format = format;
    this.#firstValueInode = firstValueInode;
    this.#areas = new Areas(format.inodeRoom);
  }

  setOf(xattrs: ReadonlyMap<string, Uint8Array>): EncodedSet | RefusedSet {
    let set = this.#setOf.get(xattrs);
    if (set === undefined) this.#setOf.set(xattrs, (set = this.#judge(xattrs)));
    return set;
  }

  #judge(xattrs: ReadonlyMap<string, Uint8Array>): EncodedSet | RefusedSet {
    const problems: string[] = [];
    const stored: StoredXattr[] = [];
    for (const [name, value] of xattrs) {
      const problem = this.#nameProblem(name) ?? xattrValueProblem(name, value);
      if (problem !== undefined) problems.push(problem);
      else stored.push(storedXattr(this.#names.get(name)!, value));
    }
    if (problems.length > 0) return { problems };
    stored.sort(compareXattrs);
    return this.#sets.of(
      hashOf(stored),
      (known) => areSame(known.xattrs, stored),
      () => ({ xattrs: stored, set: this.#encode(stored) }),
    ).set;
  }

  /** Names are few: each is looked at once, and equal ones are one object from then on. */
  #nameProblem(name: string): string | undefined {
    if (this.#names.has(name)) return undefined;
    const problem = xattrNameProblem(name);
    if (problem === undefined) this.#names.set(name, xattrName(name));
    return problem;
  }

  #encode(xattrs: readonly StoredXattr[]): EncodedSet | RefusedSet {
    const { blockSize, inodeRoom, mayUseInodes } = this.#format;
    const moveOut = mayUseInodes ? (xattr: StoredXattr) => this.#movedOut(xattr) : undefined;
    const split = splitXattrs(xattrs, inodeRoom, blockSize, moveOut);
    if (split === undefined) return { problems: [this.#sizeProblem(xattrs)] };
    return {
      area: split.inode.length === 0 ? undefined : this.#areas.add(encodeInodeXattrs(split.inode, inodeRoom)),
      valueInodes: valueInodesOf(split.inode),
      part: split.block.length === 0 ? undefined : this.#partOf(split.block),
      valueBlocks: valueBlocks(split, blockSize),
      placement: NONE,
    };
  }

  #sizeProblem(xattrs: readonly StoredXattr[]): string {
    const { blockSize, inodeRoom, mayUseInodes } = this.#format;
    const needed = xattrs.reduce((sum, xattr) => sum + xattrSize(xattr), 0);
    const inode = inodeXattrRoom(inodeRoom);
    const holders = [
      ...(inode > 0 ? [`the inode holds ${inode}`] : []),
      `a block ${blockXattrRoom(blockSize)}`,
    ];
    const remedy = mayUseInodes ? "remove some" : "remove some, or use the feature ea_inode";
    return `the extended attributes need ${needed} bytes, ${holders.join(" and ")}: ${remedy}`;
  }

  #movedOut(xattr: StoredXattr): StoredXattr {
    const { value } = xattr;
    const hash = valueInodeHash(this.#format.checksumSeed, value);
    const index = this.#values.indexOf(
      hash,
      (known) => compareBytes(known.value, value) === 0,
      () => ({ value, hash, references: 0 }),
    );
    return { ...xattr, outside: { inode: this.#firstValueInode + index, hash } };
  }

  #partOf(xattrs: readonly StoredXattr[]): BlockPart {
    return this.#parts.of(
      hashOf(xattrs),
      (known) => areSame(known.xattrs, xattrs),
      () => ({ xattrs, block: NONE, references: MOST_REFERENCES }),
    );
  }

  /** Gives a row's inode its place, and counts it as one that refers to block and values. */
  place(set: EncodedSet): number {
    this.#refer(set.valueInodes);
    const { part } = set;
    if (part === undefined) {
      if (set.placement === NONE) set.placement = this.#placements.push({ set, block: undefined }) - 1;
      return set.placement;
    }
    if (part.references === MOST_REFERENCES) {
      part.block = this.#blocks.push({ part, references: 0 }) - 1;
      part.references = 0;
      // Values count the blocks that refer to them, however many inodes share those.
      this.#refer(valueInodesOf(part.xattrs));
    }
    part.references++;
    this.#blocks[part.block]!.references++;
    if (set.placement === NONE || this.#placements[set.placement]!.block !== part.block) {
      set.placement = this.#placements.push({ set, block: part.block }) - 1;
    }
    return set.placement;
  }

  #refer(valueInodes: readonly number[]): void {
    for (const inode of valueInodes) this.#values.items[inode - this.#firstValueInode]!.references++;
  }

  finish(tree: Tree, placementOf: Uint32Array): XattrPlan {
    const { blockSize, checksumSeed, hasChecksums } = this.#format;
    const areas = this.#areas;
    const blocks = this.#blocks;
    const placements = this.#placements;
    const { primary } = tree.columns;
    const placement = (row: number): Placement | undefined => placements[placementOf[primary[row]!]!];
    return {
      blocks: blocks.length,
      values: this.#values.items,
      inInode(row): Uint8Array | undefined {
        const area = placement(row)?.set.area;
        return area === undefined ? undefined : areas.get(area);
      },
      blockOf: (row) => placement(row)?.block,
      valueBlocks: (row) => placement(row)?.set.valueBlocks ?? 0,
      encodeBlock(index, blockNumber): Uint8Array {
        const { part, references } = blocks[index]!;
        const block = encodeXattrBlock(part.xattrs, blockSize, references);
        if (hasChecksums) signXattrBlock(block, checksumSeed, blockNumber);
        return block;
      },
    };
  }
}

const NO_INODES: readonly number[] = [];

function valueInodesOf(xattrs: readonly StoredXattr[]): readonly number[] {
  const outside = xattrs.filter((xattr) => xattr.outside !== undefined);
  return outside.length === 0 ? NO_INODES : outside.map((xattr) => xattr.outside!.inode);
}

function valueBlocks({ inode, block }: XattrSplit, blockSize: number): number {
  let blocks = 0;
  for (const { outside, value } of [...inode, ...block]) {
    if (outside !== undefined) blocks += Math.ceil(value.length / blockSize);
  }
  return blocks;
}

/** A hash of a set: of all names and values, in order. */
function hashOf(xattrs: readonly StoredXattr[]): number {
  let register = 0xffffffff;
  for (const { name, value } of xattrs) {
    register = crc32cRegister(crc32cRegister(register, name.rest), value);
  }
  return register;
}

function areSame(some: readonly StoredXattr[], others: readonly StoredXattr[]): boolean {
  if (some.length !== others.length) return false;
  return some.every(({ name, value }, index) => {
    const other = others[index]!;
    return name === other.name && compareBytes(value, other.value) === 0;
  });
}

/** Things of which equal ones are kept once, found by a hash. */
class Distinct<Item> {
  readonly items: Item[] = [];
  readonly #latest = new Map<number, number>();
  /** The item before each that has the same hash. */
  readonly #before: number[] = [];

  /** The number of the item with this hash that `isIt`; a new one is made where there is none. */
  indexOf(hash: number, isIt: (item: Item) => boolean, make: () => Item): number {
    const latest = this.#latest.get(hash) ?? NONE;
    for (let at = latest; at !== NONE; at = this.#before[at]!) if (isIt(this.items[at]!)) return at;
    const index = this.items.push(make()) - 1;
    this.#before.push(latest);
    this.#latest.set(hash, index);
    return index;
  }

  of(hash: number, isIt: (item: Item) => boolean, make: () => Item): Item {
    return this.items[this.indexOf(hash, isIt, make)]!;
  }
}

/** Areas of one size, end to end: where every entry has a set of its own, an array for each would cost more. */
class Areas {
  readonly #size: number;
  #bytes: Uint8Array;
  #count = 0;

  constructor(size: number) {
    this.#size = size;
    this.#bytes = new Uint8Array(16 * size);
  }

  add(area: Uint8Array): number {
    const end = (this.#count + 1) * this.#size;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(area, end - this.#size);
    return this.#count++;
  }

  /** A view, not to be changed. */
  get(index: number): Uint8Array {
    return this.#bytes.subarray(index * this.#size, (index + 1) * this.#size);
  }
}
