import { INCOMPATIBLE } from "../features.ts";
import { INODE_FLAG } from "../structures.ts";
import type { Frame } from "./frame.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";
import { storedInInode } from "./stored-xattrs.ts";

// Small content that lies in its inode (inlinedata.rst): in the 60 bytes that would map its blocks, and then
// in an extended attribute that is none to the outside.

/** The name of that attribute. */
export const INLINE_XATTR = "system.data";

/** Whether the content of an inode lies in the inode itself. */
export function isInline(frame: Frame, inode: StoredInode): boolean {
  if ((inode.flags & INODE_FLAG.inlineData) === 0) return false;
  if (!frame.has({ incompatible: INCOMPATIBLE.inline_data })) {
    throw corrupt(`inode ${inode.number} has inline data, but the filesystem lacks the feature inline_data`);
  }
  return true;
}

/** The two parts of inline content, as far as they are stored. */
export function inlineParts(inode: StoredInode): readonly [Uint8Array, Uint8Array] {
  const rest = storedInInode(inode).find(({ name }) => name === INLINE_XATTR);
  const second = rest !== undefined && "value" in rest ? rest.value : new Uint8Array(0);
  return [inode.block, second];
}

/** The content as far as it is stored; a file that grew without being written to is longer. */
export function inlineContent(inode: StoredInode): Uint8Array {
  const [first, second] = inlineParts(inode);
  const content = new Uint8Array(Math.min(inode.size, first.length + second.length));
  content.set(first.subarray(0, content.length));
  if (content.length > first.length) {
    content.set(second.subarray(0, content.length - first.length), first.length);
  }
  return content;
}
