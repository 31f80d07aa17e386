import { base64Bytes, printable, utf8, utf8Text } from "../bytes/index.ts";
import { parseAcl } from "./acl.ts";
import type { PaxRecords } from "./pax.ts";

// How programs keep extended attributes in extended headers: star and GNU tar, and after them Go and Python, by
// SCHILY.xattr and the plain value; libarchive by LIBARCHIVE.xattr, the name escaped as in a URL, the value in
// base64; access control lists and SELinux labels have keywords of their own.

const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

const DEFAULT_ACL = "system.posix_acl_default";
const ACLS: readonly (readonly [keyword: string, name: string])[] = [
  ["SCHILY.acl.access", "system.posix_acl_access"],
  ["SCHILY.acl.default", DEFAULT_ACL],
];

/** Whether a record is an extended attribute of its own. */
export function isXattrKeyword(keyword: string): boolean {
  return keyword.startsWith(SCHILY) || keyword.startsWith(LIBARCHIVE);
}

/**
 * The extended attributes that are in the records of a member; `undefined` when there are none. What cannot be
 * read is told to `warn`.
 */
export function memberXattrs(
  records: PaxRecords,
  warn: (warning: string) => void,
): Map<string, Uint8Array> | undefined {
  const found = new Map<string, Uint8Array>();
  for (const [keyword, value] of records) {
    if (!keyword.startsWith(LIBARCHIVE)) continue;
    const name = nameOf(unescaped(keyword.slice(LIBARCHIVE.length)));
    const bytes = base64Bytes(value);
    if (name !== undefined && bytes !== undefined) found.set(name, bytes);
    else warn(`the extended attribute in ${printable(latin(keyword))} cannot be read and is left out`);
  }
  for (const [keyword, value] of records) {
    if (!keyword.startsWith(SCHILY)) continue;
    const own = keyword.slice(SCHILY.length);
    // libarchive writes both, and escapes the name in both.
    const name = nameOf(records.has(LIBARCHIVE + own) ? unescaped(own) : own);
    if (name !== undefined) found.set(name, value);
    else
      warn(`the extended attribute in ${printable(latin(keyword))} has a name that is not UTF-8: left out`);
  }
  for (const [keyword, name] of ACLS) {
    const bytes = records.get(keyword);
    if (bytes === undefined) continue;
    const text = utf8Text(bytes);
    const acl = text === undefined ? { problem: "it is not UTF-8" } : parseAcl(text);
    if (acl === undefined) continue;
    if ("problem" in acl)
      warn(`the access control list in ${keyword} is left out: ${printable(utf8(acl.problem))}`);
    // A plain one says what the mode says already; for what will be made in a directory it is news.
    else if (!acl.isPlain || name === DEFAULT_ACL) found.set(name, acl.value);
  }
  if (records.has("SCHILY.acl.ace")) {
    warn(
      "the access control list in SCHILY.acl.ace is left out: it is one of NFSv4, which has no place here",
    );
  }
  const label = records.get("RHT.security.selinux");
  if (label !== undefined && !found.has("security.selinux")) found.set("security.selinux", terminated(label));
  return found.size === 0 ? undefined : found;
}

/** A kernel keeps labels with a NUL at their end. */
function terminated(label: Uint8Array): Uint8Array {
  if (label.at(-1) === 0) return label;
  const bytes = new Uint8Array(label.length + 1);
  bytes.set(label);
  return bytes;
}

/** A keyword, which has one character for each byte, as the text that it is. */
function nameOf(keyword: string): string | undefined {
  return utf8Text(latin(keyword));
}

function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
