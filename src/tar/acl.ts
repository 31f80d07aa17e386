// Access control lists as text, as acl(5) has them, become what getxattr(2) gives for them: a version, and eight
// bytes for each entry.

const VERSION = 2;
const NO_ID = 0xffffffff;

/** Who an entry is for: the tags of <linux/posix_acl_xattr.h>, for nobody by name and for somebody. */
const TAGS: Readonly<Record<string, readonly [unnamed: number, named: number]>> = {
  user: [0x01, 0x02],
  u: [0x01, 0x02],
  group: [0x04, 0x08],
  g: [0x04, 0x08],
  mask: [0x10, 0x10],
  m: [0x10, 0x10],
  other: [0x20, 0x20],
  o: [0x20, 0x20],
};

/** The tags that every file's mode has: an access control list of them alone says nothing more. */
const PLAIN_TAGS: ReadonlySet<number> = new Set([0x01, 0x04, 0x20]);

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/**
 * The value of the attribute for an access control list in text; `undefined` for one that says no more than the
 * mode does, and a reason, as text, when it cannot be had: names without numbers mean nothing elsewhere.
 */
export function aclValue(text: string): Uint8Array | string | undefined {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const entry = line.replace(/#.*/, "").trim();
    if (entry === "") continue;
    const parsed = parseEntry(entry);
    if (typeof parsed === "string") return parsed;
    entries.push(parsed);
  }
  if (entries.every(({ tag }) => PLAIN_TAGS.has(tag))) return undefined;
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
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

/** `user:lisa:rw-`, or with the number of the name behind it: `user:lisa:rw-:1000`. */
function parseEntry(text: string): AclEntry | string {
  const [kind = "", name = "", third, fourth] = text.split(":");
  const tags = TAGS[kind];
  // Masks and others are written with two fields as well as with three.
  const isShort = third === undefined && (kind.startsWith("m") || kind.startsWith("o"));
  const permissions = parsePermissions(isShort ? name : (third ?? ""));
  if (tags === undefined || permissions === undefined) return `"${text}" is no entry of one`;
  if (isShort || name === "") return { tag: tags[0], permissions, id: NO_ID };
  const number = /^\d+$/.test(fourth ?? "") ? fourth! : name;
  if (!/^\d+$/.test(number) || Number(number) >= NO_ID) return `"${text}" has a name in place of a number`;
  return { tag: tags[1], permissions, id: Number(number) };
}

function parsePermissions(text: string): number | undefined {
  if (!/^[-rwx]{1,3}$/.test(text)) return undefined;
  return (text.includes("r") ? 4 : 0) | (text.includes("w") ? 2 : 0) | (text.includes("x") ? 1 : 0);
}
