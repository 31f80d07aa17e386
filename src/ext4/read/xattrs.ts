import { INODE_FLAG } from "../structures.ts";
import { type RawXattr, valueInodeHash, xattrValue } from "../xattr/encode.ts";
import { smallContent } from "./content.ts";
import type { Frame } from "./frame.ts";
import { INLINE_XATTR } from "./inline.ts";
import type { StoredInode } from "./inode.ts";
import { corrupt } from "./problems.ts";
import { storedInBlock, storedInInode, withOwner } from "./stored-xattrs.ts";

/** All values of one inode, in bytes. A kernel gives none larger than 64 KiB out. */
const MOST_VALUE_BYTES = 2 ** 25;

/**
 * The extended attributes of an inode by name, in the form of getxattr(2). `inodeOf` reads the inodes that hold
 * values (ea_inode).
 *
 * @throws DiskwrightError `CORRUPT`.
 */
export async function readXattrs(
  frame: Frame,
  inode: StoredInode,
  inodeOf: (number: number) => Promise<StoredInode>,
): Promise<Map<string, Uint8Array>> {
  const hasInlineData = (inode.flags & INODE_FLAG.inlineData) !== 0;
  const stored = [...storedInInode(inode), ...(await storedInBlock(frame, inode))];
  const xattrs = new Map<string, Uint8Array>();
  let outside = 0;
  for (const xattr of stored) {
    // What is in both is taken from the inode, as a kernel does.
    if ((hasInlineData && xattr.name === INLINE_XATTR) || xattrs.has(xattr.name)) continue;
    if ("value" in xattr) {
      xattrs.set(xattr.name, xattr.value);
      continue;
    }
    outside += xattr.size;
    if (outside > MOST_VALUE_BYTES) {
      throw corrupt(`inode ${inode.number} has extended attributes of more than ${MOST_VALUE_BYTES} bytes`);
    }
    const value = await outsideValue(frame, inode, xattr, inodeOf);
    xattrs.set(
      xattr.name,
      withOwner(inode, () => xattrValue(xattr.name, value)),
    );
  }
  return xattrs;
}

/** A value that is the content of an inode of its own, and that its access time is a hash of. */
async function outsideValue(
  frame: Frame,
  owner: StoredInode,
  { name, valueInode, size }: Extract<RawXattr, { readonly valueInode: number }>,
  inodeOf: (number: number) => Promise<StoredInode>,
): Promise<Uint8Array> {
  const what = `inode ${valueInode}, which holds the extended attribute "${name}" of inode ${owner.number},`;
  const inode = await inodeOf(valueInode);
  if ((inode.flags & INODE_FLAG.xattrValue) === 0) throw corrupt(`${what} is not marked as such`);
  if (inode.size !== size) throw corrupt(`${what} has ${inode.size} bytes instead of ${size}`);
  const value = await smallContent(frame, inode, size, what);
  if (valueInodeHash(frame.checksumSeed, value) !== inode.accessWord) {
    frame.problems.add(`${what} does not match its hash`);
  }
  return value;
}
