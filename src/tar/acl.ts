// Access control lists as text, as acl(5) has them, become what getxattr(2) gives for them: a version, and eight
// bytes for each entry.

const VERSION = 2;
const NO_ID = 0xffffffff;

/** The tags of <linux/posix_acl_xattr.h>. */
const TAG = { owner: 0x01, user: 0x02, group: 0x04, namedGroup: 0x08, mask: 0x10, others: 0x20 } as const;

/** Who an entry is for: its tag when it names nobody, and when it does. Masks and others never do. */
const KINDS: ReadonlyMap<string, { readonly plain: number; readonly named?: number }> = new Map([
  ["user", { plain: TAG.owner, named: TAG.user }],
  ["group", { plain: TAG.group, named: TAG.namedGroup }],
  ["mask", { plain: TAG.mask }],
  ["other", { plain: TAG.others }],
]);

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/** What a text says: the value of the attribute, or why there is none, or that it adds nothing to the mode. */
export type ParsedAcl =
  | { readonly value: Uint8Array; readonly isPlain: boolean }
  | { readonly problem: string }
  | undefined;

/**
 * The value of the attribute for an access control list in text. It is plain when it has no entries but those of
 * the owner, the group and others, as every mode has them. `undefined` for an empty text.
 */
export function parseAcl(text: string): ParsedAcl {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const entry = line.replace(/#.*/, "").trim();
    if (entry === "") continue;
    const parsed = parseEntry(entry);
    if (typeof parsed === "string") return { problem: parsed };
    entries.push(parsed);
  }
  if (entries.length === 0) return undefined;
  // A kernel takes them in this order only.
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const problem = problemOf(entries);
  if (problem !== undefined) return { problem };
  return { value: encoded(entries), isPlain: entries.length === 3 };
}

/**
 * The permission bits that a file with an access control list has: those of its owner, its mask (or else its
 * group), and others. A kernel sets them with the list; some programs put the group's in place of the mask's.
 * `undefined` for a value that is not sound.
 */
export function aclPermissions(value: Uint8Array): number | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const found = new Map<number, number>();
  for (let at = 4; at + 8 <= value.length; at += 8)
    found.set(view.getUint16(at, true), view.getUint16(at + 2, true));
  const owner = found.get(TAG.owner);
  const group = found.get(TAG.mask) ?? found.get(TAG.group);
  const others = found.get(TAG.others);
  if (owner === undefined || group === undefined || others === undefined) return undefined;
  return owner <= 7 && group <= 7 && others <= 7 ? (owner << 6) | (group << 3) | others : undefined;
}

/** Why a kernel would refuse the entries together. */
function problemOf(entries: readonly AclEntry[]): string | undefined {
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  if (count(TAG.owner) !== 1 || count(TAG.group) !== 1 || count(TAG.others) !== 1)
    return "it needs one entry each for the owner, the group and others";
  const masks = count(TAG.mask);
  const isNamed = count(TAG.user) + count(TAG.namedGroup) > 0;
  if (masks > 1 || (masks === 0 && isNamed)) return "it needs one mask";
  return undefined;
}

function encoded(entries: readonly AclEntry[]): Uint8Array {
  const value = new Uint8Array(4 + 8 * entries.length);
  const view = new DataView(value.buffer);
  view.setUint32(0, VERSION, true);
  for (const [index, { tag, permissions, id }] of entries.entries()) {
    view.setUint16(4 + 8 * index, tag, true);
    view.setUint16(6 + 8 * index, permissions, true);
    view.setUint32(8 + 8 * index, id, true);
  }
  return value;
}

/** `user:1000:rw-`, or with the number of a name behind it: `user:lisa:rw-:1000`. */
function parseEntry(text: string): AclEntry | string {
  const fields = text.split(":").map((field) => field.trim());
  const kind = kindOf(fields[0]!);
  if (kind === undefined) return `"${text}" is no entry of one`;
  // Masks and others are written with two fields as well as with three.
  if (fields.length === 2 && kind.named === undefined) fields.splice(1, 0, "");
  const [, name = "", letters = "", number = ""] = fields;
  const permissions = parsePermissions(letters);
  if (permissions === undefined || (name !== "" && kind.named === undefined))
    return `"${text}" is no entry of one`;
  if (name === "") return { tag: kind.plain, permissions, id: NO_ID };
  const id = /^\d+$/.test(number) ? number : name;
  if (!/^\d+$/.test(id)) {
    return `"${text}" has a name in place of a number: pack with numbers (--numeric-owner)`;
  }
  if (Number(id) >= NO_ID) return `"${text}" has a number that is not below ${NO_ID}`;
  return { tag: kind.named!, permissions, id: Number(id) };
}

/** Kinds can be cut to their first letter. */
function kindOf(word: string): { readonly plain: number; readonly named?: number } | undefined {
  const known = KINDS.get(word);
  if (known !== undefined || word.length !== 1) return known;
  return [...KINDS].find(([name]) => name.startsWith(word))?.[1];
}

function parsePermissions(text: string): number | undefined {
  if (!/^[-rwx]{1,3}$/.test(text)) return undefined;
  return (text.includes("r") ? 4 : 0) | (text.includes("w") ? 2 : 0) | (text.includes("x") ? 1 : 0);
}
