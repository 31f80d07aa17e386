import { base64Bytes, printable, utf8, utf8Text } from "../bytes/index.ts";
import type { Xattrs } from "../tree/index.ts";
import { aclPermissions, parseAcl } from "./acl.ts";
import type { PaxRecords } from "./pax.ts";

// How programs keep extended attributes in extended headers: star and GNU tar, and after them Go and Python, by
// SCHILY.xattr and the plain value, the name of GNU tar with % and = escaped; libarchive by LIBARCHIVE.xattr, the name escaped as in a URL, the value in
// base64; access control lists and SELinux labels have keywords of their own.

const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

const ACCESS_ACL = "system.posix_acl_access";
const DEFAULT_ACL = "system.posix_acl_default";
const ACLS: readonly (readonly [keyword: string, name: string])[] = [
  ["SCHILY.acl.access", ACCESS_ACL],
  ["SCHILY.acl.default", DEFAULT_ACL],
];

/** Whether a record is an extended attribute of its own. */
export function isXattrKeyword(keyword: string): boolean {
  return keyword.startsWith(SCHILY) || keyword.startsWith(LIBARCHIVE);
}

/** What a member has beside its header. */
export interface MemberXattrs {
  /** `undefined` when there are none. */
  readonly xattrs: Xattrs | undefined;
  /** The lower nine bits of the mode, where an access control list says them. */
  readonly permissions: number | undefined;
}

/** The extended attributes that are in the records of a member. What cannot be read is told to `warn`. */
export function memberXattrs(records: PaxRecords, warn: (warning: string) => void): MemberXattrs {
  const found = new Map<string, Uint8Array>();
  for (const [keyword, value] of records) {
    if (!keyword.startsWith(LIBARCHIVE)) continue;
    const name = nameOf(unescaped(keyword.slice(LIBARCHIVE.length), ANY_ESCAPE));
    const bytes = base64Bytes(value);
    if (name !== undefined && bytes !== undefined) found.set(name, bytes);
    else warn(`the extended attribute in ${printable(latin(keyword))} cannot be read and is left out`);
  }
  for (const [keyword, value] of records) {
    if (!keyword.startsWith(SCHILY)) continue;
    const own = keyword.slice(SCHILY.length);
    // libarchive writes both, and escapes the name in both.
    const name = nameOf(unescaped(own, records.has(LIBARCHIVE + own) ? ANY_ESCAPE : GNU_ESCAPE));
    if (name !== undefined) found.set(name, value);
    else
      warn(`the extended attribute in ${printable(latin(keyword))} has a name that is not UTF-8: left out`);
  }
  let isPlain = false;
  for (const [keyword, name] of ACLS) {
    const bytes = records.get(keyword);
    if (bytes === undefined) continue;
    const text = utf8Text(bytes);
    const acl = text === undefined ? { problem: "it is not UTF-8" } : parseAcl(text);
    if (acl === undefined) continue;
    if ("problem" in acl)
      warn(`the access control list in ${keyword} is left out: ${printable(utf8(acl.problem))}`);
    else {
      found.set(name, acl.value);
      isPlain ||= acl.isPlain && name === ACCESS_ACL;
    }
  }
  if (records.has("SCHILY.acl.ace")) {
    warn(
      "the access control list in SCHILY.acl.ace is left out: it is one of NFSv4, which has no place here",
    );
  }
  const label = records.get("RHT.security.selinux");
  if (label !== undefined && !found.has("security.selinux")) found.set("security.selinux", terminated(label));
  const access = found.get(ACCESS_ACL);
  const permissions = access && aclPermissions(access);
  // The mode says as much.
  if (isPlain) found.delete(ACCESS_ACL);
  return { xattrs: found.size === 0 ? undefined : found, permissions };
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

/** As libarchive escapes a name, and as GNU tar does it: the mark of an escape, and what ends a keyword. */
const ANY_ESCAPE = /%([0-9a-f]{2})/gi;
const GNU_ESCAPE = /%(25|3D)/g;

function unescaped(text: string, escapes: RegExp): string {
  return text.replace(escapes, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
