/** A part of a file that has blocks: from which block of the file, and how many. */
export interface Segment {
  readonly logical: number;
  readonly count: number;
}

/** A run of an inode's blocks: the first in the file, the first on disk, how many. */
export interface Run extends Segment {
  readonly physical: number;
}

/** What maps an inode's blocks, ready to be written: 60 bytes for the inode, and the other nodes by their block. */
export interface FileMap {
  readonly root: Uint8Array;
  readonly nodes: readonly { readonly block: number; readonly bytes: Uint8Array }[];
}
