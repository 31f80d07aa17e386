import { base64Bytes, byteKey, utf8, utf8Text } from "../bytes/index.ts";
import type { Device } from "../tree/index.ts";
import { readName } from "./names.ts";

/** What a manifest says of an entry, besides its path. */
export interface MtreeFields {
  type?: "file" | "dir" | "link" | "char" | "block" | "fifo" | "socket";
  /** Octal digits, or changes as chmod(1) has them. */
  mode?: string;
  uid?: number;
  gid?: number;
  uname?: string;
  gname?: string;
  time?: { readonly seconds: number; readonly nanoseconds: number };
  link?: Uint8Array;
  device?: Device;
  /** Not being there is no mistake. */
  optional?: boolean;
  /** Nothing of it is set. */
  nochange?: boolean;
  /** Capabilities as setcap(8) takes them. */
  capabilities?: string;
  xattrs?: Map<string, Uint8Array>;
}

const TYPES: readonly string[] = ["file", "dir", "link", "char", "block", "fifo", "socket"];

/** Keywords that describe what a file holds or where it was, and set nothing. */
const DESCRIBING =
  /^(size|nlink|cksum|inode|resdevice|contents?|tags|md5(digest)?|rmd160(digest)?|ripemd160digest|sha(1|256|384|512)(digest)?)$/;

const KNOWN = [
  "type",
  "mode",
  "uid",
  "gid",
  "uname",
  "gname",
  "time",
  "link",
  "device",
  "optional",
  "ignore",
  "nochange",
  "flags",
  "capabilities",
  "xattr.NAME",
];

const LARGEST_ID = 2 ** 32 - 1;

/** Takes one keyword, such as `mode=0755`, into the fields; returns what is wrong with it. */
export function takeKeyword(fields: MtreeFields, text: Uint8Array): string | undefined {
  const equals = text.indexOf(EQUALS);
  const keyword = byteKey(equals < 0 ? text : text.subarray(0, equals));
  const raw = equals < 0 ? undefined : text.subarray(equals + 1);
  const value = raw === undefined ? "" : byteKey(raw);
  if (keyword === "optional" || keyword === "nochange") {
    fields[keyword] = true;
    return undefined;
  }
  if (keyword === "ignore" || DESCRIBING.test(keyword)) return undefined;
  if (raw === undefined) {
    return KNOWN.includes(keyword) ? `${keyword} needs a value: ${keyword}=…` : unknown(keyword);
  }
  if (keyword.startsWith("xattr.")) return takeXattr(fields, keyword.slice("xattr.".length), raw);
  switch (keyword) {
    case "type":
      if (!TYPES.includes(value)) return `type=${value}: use ${TYPES.join(", ")}`;
      fields.type = value as NonNullable<MtreeFields["type"]>;
      return undefined;
    case "mode":
      fields.mode = value;
      return undefined;
    case "uid":
    case "gid":
      if (!/^\d+$/.test(value) || Number(value) > LARGEST_ID)
        return `${keyword}=${value}: use a number from 0 to ${LARGEST_ID}`;
      fields[keyword] = Number(value);
      return undefined;
    case "uname":
    case "gname": {
      const name = utf8Text(readName(raw)?.bytes ?? raw);
      if (name === undefined || name === "") return `${keyword} is no name`;
      fields[keyword] = name;
      return undefined;
    }
    case "time":
      return takeTime(fields, value);
    case "link": {
      const target = readName(raw)?.bytes;
      if (target === undefined || target.length === 0 || target.includes(0))
        return `link=${value}: no target`;
      fields.link = target;
      return undefined;
    }
    case "device": {
      const device = parseDevice(value);
      if (device === undefined) return `device=${value}: use native,MAJOR,MINOR, up to 4095 and 1048575`;
      fields.device = device;
      return undefined;
    }
    case "capabilities":
      fields.capabilities = value;
      return undefined;
    case "flags":
      return undefined;
    default:
      return unknown(keyword);
  }
}

function unknown(keyword: string): string {
  return `the keyword ${keyword} is unknown: there are ${KNOWN.join(", ")}, and those that describe content`;
}

/**
 * Seconds, and behind a point nanoseconds as a whole number: NetBSD writes all nine digits, libarchive leaves
 * leading zeros out, and both read what the other writes.
 */
function takeTime(fields: MtreeFields, value: string): string | undefined {
  const match = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(value);
  const seconds = Number(match?.[1]);
  if (match === null || !Number.isSafeInteger(seconds)) return `time=${value}: use SECONDS.NANOSECONDS`;
  fields.time = { seconds, nanoseconds: Number(match[2] ?? 0) };
  return undefined;
}

/** A number as makedev(3) packs it on Linux, or a format and two numbers. */
function parseDevice(value: string): Device | undefined {
  const parts = value.split(",");
  if (parts.length === 1 && /^(0x[0-9a-f]+|\d+)$/i.test(value)) {
    const packed = BigInt(value);
    return within(
      Number((packed >> 8n) & 0xfffn),
      Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
    );
  }
  const numbers = parts.length >= 3 ? parts.slice(1, 3) : parts;
  if (numbers.length !== 2 || numbers.some((text) => !/^(0x[0-9a-f]+|\d+)$/i.test(text))) return undefined;
  return within(Number(numbers[0]), Number(numbers[1]));
}

function within(major: number, minor: number): Device | undefined {
  return major <= 0xfff && minor <= 0xfffff ? { major, minor } : undefined;
}

/** `xattr.user.comment=BASE64`, as go-mtree writes extended attributes. */
function takeXattr(fields: MtreeFields, name: string, raw: Uint8Array): string | undefined {
  const value = base64Bytes(raw);
  const written = readName(Uint8Array.from(name, (character) => character.charCodeAt(0)));
  const text = written && utf8Text(written.bytes);
  if (value === undefined) return `xattr.${name}: the value is no base64`;
  if (text === undefined || utf8(text).length === 0) return `xattr.${name}: the name cannot be read`;
  fields.xattrs ??= new Map();
  fields.xattrs.set(text, value);
  return undefined;
}

const EQUALS = 0x3d;
