import { utf8 } from "../bytes/index.ts";

// The archive that Linux unpacks as its first root filesystem (Linux, Documentation/driver-api/early-userspace/
// buffer-format.rst): "newc" of cpio, whose numbers are eight hexadecimal digits.

/** An entry of an archive. Paths have no leading slash; parents come before what lies in them. */
export type CpioEntry =
  | { readonly path: string; readonly type: "directory" }
  | { readonly path: string; readonly type: "file"; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly path: string; readonly type: "symlink"; readonly target: string }
  | { readonly path: string; readonly type: "device"; readonly major: number; readonly minor: number };

const MAGIC = "070701";
const HEADER_SIZE = 110;
const TRAILER = "TRAILER!!!";
const NO_BYTES = new Uint8Array(0);

/** Everything belongs to root, and has the time 0: the same entries are the same bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.map((entry, index) => ({
    header: header(entry, index + 1),
    body: body(entry),
  }));
  parts.push({ header: headerOf({ path: TRAILER, inode: 0, mode: 0, links: 1, size: 0 }), body: NO_BYTES });
  const size = parts.reduce((sum, part) => sum + padded(part.header.length) + padded(part.body.length), 0);
  const archive = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    archive.set(part.header, at);
    at += padded(part.header.length);
    archive.set(part.body, at);
    at += padded(part.body.length);
  }
  return archive;
}

const DIRECTORY = 0o040755;
const SYMLINK = 0o120777;
const DEVICE = 0o020600;
const FILE = 0o100000;

function header(entry: CpioEntry, inode: number): Uint8Array {
  const { path } = entry;
  switch (entry.type) {
    case "directory":
      return headerOf({ path, inode, mode: DIRECTORY, links: 2, size: 0 });
    case "file":
      return headerOf({ path, inode, mode: FILE | entry.mode, links: 1, size: entry.bytes.length });
    case "symlink":
      return headerOf({ path, inode, mode: SYMLINK, links: 1, size: utf8(entry.target).length });
    case "device":
      return headerOf({ path, inode, mode: DEVICE, links: 1, size: 0, device: entry });
  }
}

function body(entry: CpioEntry): Uint8Array {
  if (entry.type === "file") return entry.bytes;
  return entry.type === "symlink" ? utf8(entry.target) : NO_BYTES;
}

interface Header {
  readonly path: string;
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** A header and the path behind it, which ends with a zero. */
function headerOf({ path, inode, mode, links, size, device = NO_DEVICE }: Header): Uint8Array {
  const name = utf8(path);
  const owner = [0, 0];
  const time = 0;
  const filesystem = [0, 0];
  const checksum = 0;
  const numbers = [
    inode,
    mode,
    ...owner,
    links,
    time,
    size,
    ...filesystem,
    device.major,
    device.minor,
    name.length + 1,
    checksum,
  ];
  const bytes = new Uint8Array(HEADER_SIZE + name.length + 1);
  bytes.set(utf8(MAGIC + numbers.map((number) => number.toString(16).padStart(8, "0")).join("")));
  bytes.set(name, HEADER_SIZE);
  return bytes;
}

const NO_DEVICE = { major: 0, minor: 0 };

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
