import { utf8 } from "../../src/bytes/index.ts";
import type { TarInput } from "../../src/tar/index.ts";
import type { DataRange, Device, EntryType } from "../../src/tree/index.ts";

// A writer of archives, so that tests can have what no program writes. It shares nothing with the reader.

type Bytes = Uint8Array | string;

/** A header; numbers are octal unless they are given as bytes. */
export interface HeaderFields {
  readonly name?: Bytes;
  readonly mode?: number | Uint8Array;
  readonly uid?: number | Uint8Array;
  readonly gid?: number | Uint8Array;
  readonly size?: number | Uint8Array;
  readonly mtime?: number | Uint8Array;
  readonly type?: string;
  readonly link?: Bytes;
  /** Default: that of POSIX. */
  readonly magic?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly prefix?: Bytes;
  /** What is written over the header at an offset, before the checksum is made. */
  readonly over?: readonly (readonly [offset: number, bytes: Uint8Array])[];
  /** The sum as octal digits; default: the right one. */
  readonly checksum?: (block: Uint8Array) => number;
}

export const POSIX = "ustar\x0000";
export const GNU = "ustar  \x00";
export const V7 = "\0\0\0\0\0\0\0\0";

export function bytesOf(value: Bytes): Uint8Array {
  return typeof value === "string" ? utf8(value) : value;
}

export function joined(...parts: readonly Bytes[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts.map(bytesOf)));
}

/** A header block. */
export function header(fields: HeaderFields = {}): Uint8Array {
  const block = new Uint8Array(512);
  const put = (offset: number, value: Bytes): void => block.set(bytesOf(value), offset);
  const number = (offset: number, width: number, value: number | Uint8Array): void =>
    put(offset, typeof value === "number" ? value.toString(8).padStart(width - 1, "0") : value);
  put(0, fields.name ?? "file");
  number(100, 8, fields.mode ?? 0o644);
  number(108, 8, fields.uid ?? 0);
  number(116, 8, fields.gid ?? 0);
  number(124, 12, fields.size ?? 0);
  number(136, 12, fields.mtime ?? 0);
  put(156, fields.type ?? "0");
  put(157, fields.link ?? "");
  put(257, fields.magic ?? POSIX);
  number(329, 8, fields.major ?? 0);
  number(337, 8, fields.minor ?? 0);
  put(345, fields.prefix ?? "");
  for (const [offset, bytes] of fields.over ?? []) block.set(bytes, offset);
  return withChecksum(block, fields.checksum);
}

export function unsignedSum(block: Uint8Array): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

export function withChecksum(block: Uint8Array, checksum = unsignedSum): Uint8Array {
  const sum = checksum(block);
  block.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

/** A number as GNU tar writes one that octal digits cannot hold. */
export function base256(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = BigInt.asUintN(8 * width, value);
  for (let at = width - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  bytes[0] = value < 0n ? 0xff : bytes[0]! | 0x80;
  return bytes;
}

/** Content, padded to whole blocks. */
export function padded(content: Bytes): Uint8Array {
  const bytes = bytesOf(content);
  const blocks = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  blocks.set(bytes);
  return blocks;
}

/** A member with its content; its size is that of the content unless it is given. */
export function member(fields: HeaderFields, content: Bytes = ""): Uint8Array {
  const bytes = bytesOf(content);
  return joined(header({ size: bytes.length, ...fields }), padded(bytes));
}

/** The record of an extended header, which begins with its own length. */
export function paxRecord(keyword: string, value: Bytes): Uint8Array {
  const rest = joined(` ${keyword}=`, value, "\n");
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return joined(String(length), rest);
}

/** An extended header, for the member behind it; with the type `g`, for all. */
export function pax(records: Iterable<readonly [string, Bytes]>, type = "x"): Uint8Array {
  const content = joined(...[...records].map(([keyword, value]) => paxRecord(keyword, value)));
  return member({ name: "PaxHeaders/member", type }, content);
}

/** A name that is too long for a header: the type is `L`, or `K` for the target of a link. */
export function gnuLong(type: "L" | "K", name: Bytes): Uint8Array {
  return member({ name: "././@LongLink", type, magic: GNU }, joined(name, "\0"));
}

export const END_MARK: Uint8Array = new Uint8Array(1024);

/** What a tree is made of, with all of its content. */
export interface WriterEntry {
  readonly path: Uint8Array;
  readonly type: EntryType;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Nanoseconds. */
  readonly mtime?: bigint;
  readonly content?: Uint8Array;
  /** Only these parts of the content are stored. */
  readonly data?: readonly DataRange[];
  readonly target?: Uint8Array;
  readonly device?: Device;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

const TYPES: Readonly<Record<string, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** How sparse files are written in pax: the formats of GNU tar. */
export type PaxSparse = "0.0" | "0.1" | "1.0";
/** How extended attributes are written: by star and most others, or by libarchive alone. */
export type XattrStyle = "SCHILY" | "LIBARCHIVE";

/** An archive in pax: times, names, attributes and owners of any kind. */
export function paxArchive(
  entries: readonly WriterEntry[],
  sparse: PaxSparse = "1.0",
  style: XattrStyle = "SCHILY",
): Uint8Array {
  return joined(...entries.map((entry) => paxEntry(entry, sparse, style)), END_MARK);
}

function paxEntry(entry: WriterEntry, sparse: PaxSparse, style: XattrStyle): Uint8Array {
  const { path, type, mtime = 0n, uid = 0, gid = 0, target, data } = entry;
  const name = type === "directory" ? joined(path, "/") : path;
  const records: [string, Bytes][] = [["mtime", decimalTime(mtime)]];
  if (uid > 0o7777777) records.push(["uid", String(uid)]);
  if (gid > 0o7777777) records.push(["gid", String(gid)]);
  if (target !== undefined && target.length > 100) records.push(["linkpath", target]);
  for (const [attribute, value] of entry.xattrs ?? []) records.push(xattrRecord(attribute, value, style));
  const stored = storedOf(entry);
  const fields = { ...common(entry), mtime: 0, uid: Math.min(uid, 0o7777777), gid: Math.min(gid, 0o7777777) };
  if (data === undefined) {
    records.push(["path", name]);
    return joined(pax(records), member({ ...fields, name: name.subarray(0, 100) }, stored));
  }
  const size = String(entry.content!.length);
  const numbers = data.flatMap(({ offset, length }) => [offset, length]);
  records.push(["GNU.sparse.name", name]);
  switch (sparse) {
    case "0.0":
      records.push(["GNU.sparse.size", size], ["GNU.sparse.numblocks", String(data.length)]);
      for (const { offset, length } of data) {
        records.push(["GNU.sparse.offset", String(offset)], ["GNU.sparse.numbytes", String(length)]);
      }
      break;
    case "0.1":
      records.push(["GNU.sparse.size", size], ["GNU.sparse.numblocks", String(data.length)]);
      records.push(["GNU.sparse.map", numbers.join(",")]);
      break;
    case "1.0": {
      records.push(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", size]);
      const map = padded([data.length, ...numbers].map((number) => `${number}\n`).join(""));
      return joined(pax(records), member({ ...fields, name: "GNUSparseFile.1/x" }, joined(map, stored)));
    }
  }
  return joined(pax(records), member({ ...fields, name: "GNUSparseFile.1/x" }, stored));
}

/** Seconds with a fraction; before 1970 both count backwards. */
export function decimalTime(nanoseconds: bigint): string {
  const positive = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(positive % 1_000_000_000n).padStart(9, "0");
  return `${nanoseconds < 0n ? "-" : ""}${positive / 1_000_000_000n}.${fraction}`;
}

function xattrRecord(name: string, value: Uint8Array, style: XattrStyle): [string, Bytes] {
  const kind = /^system\.posix_acl_(access|default)$/.exec(name)?.[1];
  if (kind !== undefined) return [`SCHILY.acl.${kind}`, aclText(value)];
  if (style === "SCHILY") return [`SCHILY.xattr.${name}`, value];
  const text = Buffer.from(value).toString("base64").replace(/=+$/, "");
  return [`LIBARCHIVE.xattr.${encodeURIComponent(name)}`, text];
}

const ACL_KINDS: Readonly<Record<number, string>> = {
  1: "user",
  2: "user",
  4: "group",
  8: "group",
  16: "mask",
  32: "other",
};

/** An access control list as text, from what getxattr gives. */
function aclText(value: Uint8Array): string {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const lines: string[] = [];
  for (let at = 4; at < value.length; at += 8) {
    const tag = view.getUint16(at, true);
    const permissions = view.getUint16(at + 2, true);
    const letters = ["r", "w", "x"].map((letter, bit) => ((permissions >> (2 - bit)) & 1 ? letter : "-"));
    const name = tag === 2 || tag === 8 ? view.getUint32(at + 4, true) : "";
    lines.push(`${ACL_KINDS[tag]}:${name}:${letters.join("")}`);
  }
  return lines.join("\n");
}

/** An archive as GNU tar wrote them before pax: whole seconds, no attributes. */
export function gnuArchive(entries: readonly WriterEntry[]): Uint8Array {
  return joined(...entries.map(gnuEntry), END_MARK);
}

function gnuEntry(entry: WriterEntry): Uint8Array {
  const { path, type, target, data, uid = 0, gid = 0, mtime = 0n } = entry;
  const name = type === "directory" ? joined(path, "/") : path;
  const stored = storedOf(entry);
  const long = [
    ...(name.length > 100 ? [gnuLong("L", name)] : []),
    ...(target !== undefined && target.length > 100 ? [gnuLong("K", target)] : []),
  ];
  const seconds = mtime / 1_000_000_000n;
  const fields: HeaderFields = {
    ...common(entry),
    name: name.subarray(0, 100),
    magic: GNU,
    uid: uid > 0o7777777 ? base256(BigInt(uid), 8) : uid,
    gid: gid > 0o7777777 ? base256(BigInt(gid), 8) : gid,
    mtime: seconds < 0n || seconds >= 8n ** 11n ? base256(seconds, 12) : Number(seconds),
  };
  if (data === undefined) return joined(...long, member(fields, stored));
  const { over, extensions } = gnuSparse(data, entry.content!.length);
  const head = header({ ...fields, type: "S", size: stored.length, over });
  return joined(...long, head, extensions, padded(stored));
}

/** The map of a sparse file for a header of type S, and the blocks that hold what the header cannot. */
export function gnuSparse(
  data: readonly DataRange[],
  size: number,
): { over: NonNullable<HeaderFields["over"]>; extensions: Uint8Array } {
  const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;
  const parts = data.map(({ offset, length }) => utf8(octal(offset) + octal(length)));
  const rest = parts.slice(4);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < rest.length; at += 21) {
    const block = new Uint8Array(512);
    block.set(joined(...rest.slice(at, at + 21)));
    block[504] = at + 21 < rest.length ? 1 : 0;
    blocks.push(block);
  }
  return {
    over: [
      [386, joined(...parts.slice(0, 4))],
      [482, Uint8Array.of(rest.length > 0 ? 1 : 0)],
      [483, utf8(octal(size))],
    ],
    extensions: joined(...blocks),
  };
}

function common({ type, mode = 0o644, target, device }: WriterEntry): HeaderFields {
  return {
    mode,
    type: TYPES[type]!,
    link: target?.subarray(0, 100) ?? "",
    major: device?.major ?? 0,
    minor: device?.minor ?? 0,
  };
}

function storedOf({ content, data }: WriterEntry): Uint8Array {
  if (content === undefined) return new Uint8Array(0);
  if (data === undefined) return content;
  return joined(...data.map(({ offset, length }) => content.subarray(offset, offset + length)));
}

/** An archive in memory; what was read is overwritten by the next read, as readers are allowed to. */
export function memoryInput(archive: Uint8Array, most = 700): TarInput {
  let position = 0;
  const shared = new Uint8Array(most);
  return {
    read(length): Uint8Array {
      const bytes = archive.subarray(position, position + Math.min(length, most));
      position += bytes.length;
      shared.fill(0xaa);
      shared.set(bytes);
      return shared.subarray(0, bytes.length);
    },
    skip(length): number {
      const count = Math.min(length, archive.length - position);
      position += count;
      return count;
    },
  };
}
