import type { FileMap, Run, Segment } from "./mapping.ts";

// Block maps of ext2 and ext3 (ifork.rst, "Direct/Indirect Block Addressing"): the inode points to twelve
// blocks itself, then to a block of pointers, one of pointers to such blocks, and one more level.

const DIRECT = 12;
const POINTER_SIZE = 4;
const LEVELS = 3;

/** Pointers in a block. */
function pointersPerBlock(blockSize: number): number {
  return blockSize / POINTER_SIZE;
}

/** How many blocks a file can have at most. */
export function mostMappedBlocks(blockSize: number): number {
  const per = pointersPerBlock(blockSize);
  return DIRECT + per + per ** 2 + per ** 3;
}

/** How many blocks of pointers are needed for these parts of a file. Holes need none. */
export function mapBlocks(segments: readonly Segment[], blockSize: number): number {
  const per = pointersPerBlock(blockSize);
  let blocks = 0;
  let start = DIRECT;
  for (let level = 1; level <= LEVELS; level++) {
    const span = per ** level;
    // Of each depth below this level's root: how many aligned ranges are touched.
    for (let covered = per; covered <= span; covered *= per)
      blocks += touched(segments, start, span, covered);
    start += span;
  }
  return blocks;
}

/** How many aligned ranges of `grain` blocks, within `span` blocks from `start` on, the segments touch. */
function touched(segments: readonly Segment[], start: number, span: number, grain: number): number {
  let count = 0;
  let last = -1;
  for (const { logical, count: length } of segments) {
    const from = Math.max(logical, start);
    const to = Math.min(logical + length, start + span);
    if (from >= to) continue;
    const first = Math.max(Math.floor((from - start) / grain), last + 1);
    const final = Math.floor((to - 1 - start) / grain);
    if (final >= first) count += final - first + 1;
    last = Math.max(last, final);
  }
  return count;
}

/**
 * Encodes a map. The blocks of pointers are those that `nextBlock` hands out, each before the ones that it
 * points to.
 */
export function encodeBlockMap(runs: readonly Run[], blockSize: number, nextBlock: () => number): FileMap {
  const per = pointersPerBlock(blockSize);
  const root = new Uint8Array(60);
  const rootView = new DataView(root.buffer);
  const nodes: { block: number; bytes: Uint8Array }[] = [];
  /** The path of open nodes below the root, from the level-1 root downwards. */
  const open: { key: number; view: DataView }[] = [];

  function nodeAt(depth: number, key: number, holder: DataView, at: number): DataView {
    const known = open[depth];
    if (known?.key === key) return known.view;
    const bytes = new Uint8Array(blockSize);
    const block = nextBlock();
    nodes.push({ block, bytes });
    holder.setUint32(at, block, true);
    open.length = depth;
    const view = new DataView(bytes.buffer);
    open.push({ key, view });
    return view;
  }

  function set(logical: number, physical: number): void {
    if (logical < DIRECT) {
      rootView.setUint32(logical * POINTER_SIZE, physical, true);
      return;
    }
    let rest = logical - DIRECT;
    let level = 1;
    while (rest >= per ** level) rest -= per ** level++;
    let view: DataView = rootView;
    let at = (DIRECT + level - 1) * POINTER_SIZE;
    for (let depth = 0; depth < level; depth++) {
      const below = per ** (level - depth - 1);
      view = nodeAt(depth, level * 2 ** 40 + Math.floor(rest / (below * per)), view, at);
      at = (Math.floor(rest / below) % per) * POINTER_SIZE;
    }
    view.setUint32(at, physical, true);
  }

  for (const { logical, physical, count } of runs) {
    for (let index = 0; index < count; index++) set(logical + index, physical + index);
  }
  return { root, nodes };
}
