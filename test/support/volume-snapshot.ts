import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { getAttributeSync, listAttributesSync } from "@napi-rs/xattr";
import { byteKey } from "../../src/bytes/index.ts";
import type { Ext4Volume } from "../../src/ext4/index.ts";

/** Everything that can be told of an entry, from a directory of the host or from a filesystem that was read. */
export interface Seen {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: number | undefined;
  readonly links: number;
  readonly device: string | undefined;
  readonly target: string | undefined;
  readonly content: string | undefined;
  readonly xattrs: Record<string, string>;
  readonly times: { atime: bigint; mtime: bigint; ctime: bigint; crtime: bigint | undefined };
  readonly allocated: number;
}

const PORTION = 1 << 20;
const PIECE = 1024;
const ZEROS = Buffer.alloc(PIECE);

/** A digest of what is not zero in a file, and where. */
class Digest {
  readonly #hash = createHash("sha1");

  add(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(PIECE, bytes.length - at));
      if (piece.equals(ZEROS.subarray(0, piece.length))) continue;
      let end = piece.length;
      while (end > 0 && piece[end - 1] === 0) end--;
      this.#hash.update(`${offset + at}:`).update(piece.subarray(0, end));
    }
  }

  get text(): string {
    return this.#hash.digest("hex");
  }
}

/** Every entry below a directory of the host, by its path; that of the directory is empty. */
export function seenOnHost(root: string): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const visit = (path: Buffer, key: string): void => {
    const status = lstatSync(path, { bigint: true });
    seen.set(key, seenEntry(path, status));
    if (!status.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: "buffer" })) {
      const child = Buffer.concat([path, Buffer.from("/"), name]);
      visit(child, key === "" ? name.toString("latin1") : `${key}/${name.toString("latin1")}`);
    }
  };
  visit(Buffer.from(root), "");
  return seen;
}

function seenEntry(path: Buffer, status: BigIntStats): Seen {
  const type = TYPES[Number(status.mode >> 12n)]!;
  const isDevice = type === "character" || type === "block";
  return {
    type,
    mode: (status.mode & 0o7777n).toString(8),
    owner: `${status.uid}:${status.gid}`,
    size: type === "directory" ? undefined : Number(status.size),
    links: Number(status.nlink),
    device: isDevice ? deviceText(status.rdev) : undefined,
    target: type === "symlink" ? readlinkSync(path, { encoding: "buffer" }).toString("latin1") : undefined,
    content: type === "file" ? hostDigest(path) : undefined,
    xattrs: hostXattrs(path, type),
    times: {
      atime: status.atimeNs,
      mtime: status.mtimeNs,
      ctime: status.ctimeNs,
      crtime: status.birthtimeNs,
    },
    allocated: Number(status.blocks) * 512,
  };
}

const TYPES: Readonly<Record<number, string>> = {
  1: "fifo",
  2: "character",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** A number of a device as Linux packs it for stat(2). */
function deviceText(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

function hostDigest(path: Buffer): string {
  const digest = new Digest();
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(PORTION);
    for (let offset = 0; ; ) {
      const count = readSync(file, bytes, 0, PORTION, offset);
      if (count === 0) return digest.text;
      digest.add(offset, bytes.subarray(0, count));
      offset += count;
    }
  } finally {
    closeSync(file);
  }
}

/** What is asked for follows symlinks, so those are left out, and so are names that are no text. */
function hostXattrs(path: Buffer, type: string): Record<string, string> {
  const text = path.toString("utf8");
  if ((type !== "file" && type !== "directory") || !Buffer.from(text).equals(path)) return {};
  const names = listAttributesSync(text);
  return Object.fromEntries(
    names.sort().map((name) => [name, Buffer.from(getAttributeSync(text, name) ?? []).toString("hex")]),
  );
}

/** Every entry of a filesystem, by its path. Files are read in odd portions, and only where they have data. */
export async function seenInVolume(volume: Ext4Volume): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  for await (const entry of volume.entries()) {
    const { type, device, target, size, atime, mtime, ctime, crtime, allocated, links } = entry;
    const xattrs = await volume.xattrs(entry.inode);
    const names = [...xattrs.keys()].sort();
    seen.set(byteKey(entry.path), {
      type,
      mode: entry.mode.toString(8),
      owner: `${entry.uid}:${entry.gid}`,
      size: type === "directory" ? undefined : size,
      links,
      device: device === undefined ? undefined : `${device.major}:${device.minor}`,
      target: target === undefined ? undefined : byteKey(target),
      content: type === "file" ? await volumeDigest(volume, entry.inode) : undefined,
      xattrs: Object.fromEntries(names.map((name) => [name, Buffer.from(xattrs.get(name)!).toString("hex")])),
      times: { atime, mtime, ctime, crtime },
      allocated,
    });
  }
  return seen;
}

async function volumeDigest(volume: Ext4Volume, inode: number): Promise<string> {
  const digest = new Digest();
  const content = await volume.open(inode);
  let last = 0;
  for await (const { offset, length } of volume.dataRanges(inode)) {
    // Pieces are aligned on both sides; ranges are aligned to blocks, which are no smaller.
    for (let at = offset; at < offset + length; at += 300 * PIECE) {
      digest.add(at, await content.read(at, Math.min(300 * PIECE, offset + length - at)));
    }
    last = offset + length;
  }
  // Behind the data all is zero, as between it.
  const tail = await content.read(last, Math.min(content.size - last, PORTION));
  if (tail.some((byte) => byte !== 0)) return "not zero behind its data";
  return digest.text;
}
