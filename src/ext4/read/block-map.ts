import type { FileRun } from "./blocks.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

// Block maps of ext2 and ext3 (ifork.rst, "Direct/Indirect Block Addressing"). A pointer of 0 is a hole.

const DIRECT = 12;
const LEVELS = 3;
const POINTER_SIZE = 4;

/** What a part of a map needs to know of the whole. */
interface MapWalk {
  readonly frame: Frame;
  readonly inode: StoredInode;
  readonly perBlock: number;
  readonly from: number;
  readonly to: number;
  /** The blocks of pointers that were gone through: one that comes again would make the map endless. */
  readonly seen: Set<number>;
  readonly onNode: (block: number) => void;
}

/**
 * The runs of a file's blocks that touch those from `from` up to, not including, `to`, in ascending order. `onNode` gets
 * each block of pointers before it is read.
 */
export async function* mappedRuns(
  frame: Frame,
  inode: StoredInode,
  from: number,
  to: number,
  onNode: (block: number) => void = () => {},
): AsyncGenerator<FileRun> {
  const perBlock = frame.blockSize / POINTER_SIZE;
  const walk: MapWalk = { frame, inode, perBlock, from, to, seen: new Set(), onNode };
  const view = new DataView(inode.block.buffer, inode.block.byteOffset, inode.block.byteLength);
  yield* pointedRuns(walk, view, DIRECT, 0);
  let logical = DIRECT;
  for (let level = 1; level <= LEVELS; level++) {
    const pointer = view.getUint32((DIRECT + level - 1) * POINTER_SIZE, true);
    yield* nodeRuns(walk, pointer, level, logical);
    logical += perBlock ** level;
  }
}

/** The runs of a file whose pointers all lie in its inode; `undefined` when there are blocks of pointers. */
export function pointersInInode(frame: Frame, inode: StoredInode): FileRun[] | undefined {
  const view = new DataView(inode.block.buffer, inode.block.byteOffset, inode.block.byteLength);
  for (let level = 0; level < LEVELS; level++) {
    if (view.getUint32((DIRECT + level) * POINTER_SIZE, true) !== 0) return undefined;
  }
  const walk = { frame, inode, from: 0, to: DIRECT };
  return [...pointedRuns(walk, view, DIRECT, 0)];
}

/** The runs below a block of pointers, which has `level` levels of them including itself. */
async function* nodeRuns(
  walk: MapWalk,
  block: number,
  level: number,
  logical: number,
): AsyncGenerator<FileRun> {
  const { frame, inode, perBlock, from, to, seen } = walk;
  const span = perBlock ** level;
  if (block === 0 || logical >= to || logical + span <= from) return;
  if (seen.has(block)) throw corrupt(`the block map of inode ${inode.number} reaches block ${block} twice`);
  seen.add(block);
  walk.onNode(block);
  const bytes = await frame.block(block, `the block map of inode ${inode.number}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (level === 1) {
    yield* pointedRuns(walk, view, perBlock, logical);
    return;
  }
  const below = span / perBlock;
  const first = Math.max(0, Math.floor((from - logical) / below));
  const end = Math.min(perBlock, Math.ceil((to - logical) / below));
  for (let index = first; index < end; index++) {
    yield* nodeRuns(walk, view.getUint32(index * POINTER_SIZE, true), level - 1, logical + index * below);
  }
}

/** The runs that a list of pointers to blocks of content makes. */
function* pointedRuns(
  walk: Pick<MapWalk, "frame" | "inode" | "from" | "to">,
  view: DataView,
  pointers: number,
  logical: number,
): Generator<FileRun> {
  const { frame, inode, from, to } = walk;
  const end = Math.min(pointers, to - logical);
  for (let index = Math.max(0, from - logical); index < end; ) {
    const physical = view.getUint32(index * POINTER_SIZE, true);
    let count = 1;
    if (physical !== 0) {
      while (
        index + count < end &&
        view.getUint32((index + count) * POINTER_SIZE, true) === physical + count
      ) {
        count++;
      }
      if (!frame.isInside(physical, count)) {
        throw corrupt(
          `the block map of inode ${inode.number} names blocks ${physical} to ${physical + count} of ${frame.blocks}`,
        );
      }
      yield { logical: logical + index, physical, count, isWritten: true };
    }
    index += count;
  }
}
