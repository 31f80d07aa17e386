import { type ByteSource, bytesExtent, type Extent, readExactly } from "../../extents/index.ts";
import type { DataRange } from "../../tree/index.ts";
import { checkFileSize, fileRuns } from "./blocks.ts";
import type { Frame } from "./frame.ts";
import { inlineContent, isInline } from "./inline.ts";
import { READ_FLAG, type StoredInode } from "./inode.ts";
import { corrupt, unreadable } from "./problems.ts";

/** How much is asked of the source at once, in bytes. */
const PORTION = 2 ** 20;

/** The content of an inode, to be read at any position; holes and blocks that were only set aside are zeros. */
export function contentOf(frame: Frame, inode: StoredInode): ByteSource {
  checkPlain(inode);
  if (isInline(frame, inode)) {
    const stored = inlineContent(inode);
    return checked(inode.size, (offset, length) => {
      const bytes = new Uint8Array(length);
      bytes.set(stored.subarray(offset, offset + length));
      return bytes;
    });
  }
  checkFileSize(frame, inode);
  return checked(inode.size, async (offset, length) => {
    const bytes = new Uint8Array(length);
    await fill(frame, inode, bytes, offset);
    return bytes;
  });
}

/** The parts of a file that hold data, in ascending order; the rest of it reads as zeros. */
export async function* dataRangesOf(frame: Frame, inode: StoredInode): AsyncGenerator<DataRange> {
  if (isInline(frame, inode)) {
    const { length } = inlineContent(inode);
    if (length > 0) yield { offset: 0, length };
    return;
  }
  checkFileSize(frame, inode);
  const { blockSize } = frame;
  let [start, end] = [0, 0];
  for await (const run of fileRuns(frame, inode, 0, Math.ceil(inode.size / blockSize))) {
    if (!run.isWritten) continue;
    const from = run.logical * blockSize;
    if (from !== end) {
      if (end > start) yield { offset: start, length: end - start };
      start = from;
    }
    end = Math.min(from + run.count * blockSize, inode.size);
  }
  if (end > start) yield { offset: start, length: end - start };
}

/** The parts of a file that hold data, with where in the source of the filesystem they are. */
export async function* extentsOf(frame: Frame, inode: StoredInode): AsyncGenerator<Extent> {
  checkPlain(inode);
  if (isInline(frame, inode)) {
    const stored = inlineContent(inode);
    if (stored.length > 0) yield bytesExtent(0, stored);
    return;
  }
  checkFileSize(frame, inode);
  const { blockSize, content } = frame;
  for await (const run of fileRuns(frame, inode, 0, Math.ceil(inode.size / blockSize))) {
    if (!run.isWritten) continue;
    const position = run.logical * blockSize;
    const length = Math.min(run.count * blockSize, inode.size - position);
    if (length > 0) yield { position, length, source: content, offset: run.physical * blockSize };
  }
}

/**
 * A part of the content that is metadata: a directory, a symlink, the value of an attribute. At most `limit`
 * bytes.
 */
export async function smallContent(
  frame: Frame,
  inode: StoredInode,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  if (inode.size > limit) throw corrupt(`${what} has ${inode.size} bytes, the limit is ${limit}`);
  return await contentOf(frame, inode).read(0, inode.size);
}

function checkPlain(inode: StoredInode): void {
  if ((inode.flags & READ_FLAG.encrypted) === 0) return;
  throw unreadable(`inode ${inode.number} is encrypted (feature encrypt): its content cannot be read`);
}

async function fill(frame: Frame, inode: StoredInode, bytes: Uint8Array, offset: number): Promise<void> {
  const { blockSize, source } = frame;
  const end = offset + bytes.length;
  const runs = fileRuns(frame, inode, Math.floor(offset / blockSize), Math.ceil(end / blockSize));
  for await (const { logical, physical, count, isWritten } of runs) {
    if (!isWritten) continue;
    const start = logical * blockSize;
    const from = Math.max(start, offset);
    const to = Math.min(start + count * blockSize, end);
    for (let at = from; at < to; at += PORTION) {
      const position = physical * blockSize + (at - start);
      const part = Math.min(PORTION, to - at);
      bytes.set(
        await readExactly(source, position, part, `the content of inode ${inode.number}`),
        at - offset,
      );
    }
  }
}

/** A source that refuses ranges that it does not have. */
function checked(size: number, read: ByteSource["read"]): ByteSource {
  return {
    size,
    read(position, length) {
      if (!(position >= 0 && length >= 0 && position + length <= size)) {
        throw new RangeError(`bytes ${position} to ${position + length} of a file that has ${size}`);
      }
      return read(position, length);
    },
  };
}
