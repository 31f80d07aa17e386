import { mostMappedBlocks } from "../block-map.ts";
import { INODE_FLAG } from "../structures.ts";
import { mappedRuns, pointersInInode } from "./block-map.ts";
import { extentRuns, extentsInInode } from "./extents.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";

/** A run of blocks of a file. */
export interface FileRun {
  /** The first one's place in the file, in blocks. */
  readonly logical: number;
  /** The first one's place in the filesystem. */
  readonly physical: number;
  readonly count: number;
  /** Otherwise the blocks are set aside, but read as zeros. */
  readonly isWritten: boolean;
}

/** Extents number the blocks of a file with 32 bits. */
const MOST_BLOCKS = 2 ** 32;

/**
 * The runs of a file's blocks that touch those from `from` up to, not including, `to`, in ascending order. What
 * none covers is a hole. `onNode` gets each block of the map itself before it is read.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function fileRuns(
  frame: Frame,
  inode: StoredInode,
  from: number,
  to: number,
  onNode?: (block: number) => void,
): AsyncGenerator<FileRun> {
  const runs = hasExtents(inode) ? extentRuns : mappedRuns;
  return runs(frame, inode, from, to, onNode);
}

/**
 * All runs of a file whose map lies in its inode, as that of most files does: promises would take longer than all else.
 * `undefined` when the map has blocks of its own.
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export function runsInInode(frame: Frame, inode: StoredInode): readonly FileRun[] | undefined {
  return hasExtents(inode) ? extentsInInode(frame, inode) : pointersInInode(frame, inode);
}

/** Checks that a file is not larger than what maps its blocks can reach. */
export function checkFileSize(frame: Frame, inode: StoredInode): void {
  const blocks = hasExtents(inode) ? MOST_BLOCKS : mostMappedBlocks(frame.blockSize);
  if (inode.size > blocks * frame.blockSize) {
    throw corrupt(`inode ${inode.number} has ${inode.size} bytes, more than ${blocks} blocks can hold`);
  }
}

/** Whether extents map the blocks of an inode, and not pointers. */
export function hasExtents(inode: StoredInode): boolean {
  return (inode.flags & INODE_FLAG.extents) !== 0;
}
