import { byteKey, utf8Text } from "../bytes/index.ts";

/** The users and groups of a tree. */
export interface Accounts {
  /** The id of a user, by name or as a decimal number; `undefined` when nobody has the name. */
  uid(name: string): number | undefined;
  gid(name: string): number | undefined;
}

const LARGEST_ID = 2 ** 32 - 1;

/**
 * The accounts in the bytes of a tree's etc/passwd and etc/group, either of which may be missing. `root` is
 * always known: every system has it.
 */
export function accountsOf(passwd: Uint8Array | undefined, group: Uint8Array | undefined): Accounts {
  const users = idsOf(passwd);
  const groups = idsOf(group);
  return { uid: (name) => idOf(users, name), gid: (name) => idOf(groups, name) };
}

function idOf(ids: ReadonlyMap<string, number>, name: string): number | undefined {
  const known = ids.get(name);
  if (known !== undefined) return known;
  return /^\d{1,10}$/.test(name) && Number(name) <= LARGEST_ID ? Number(name) : undefined;
}

/** Names and ids: passwd(5) and group(5) both have the name first, the id third. The first of a name counts. */
function idsOf(bytes: Uint8Array | undefined): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  for (const line of linesOf(bytes)) {
    const [name = "", , id = ""] = line.split(":");
    // Lines of NIS begin with a sign, and comments are no lines of these files but are found in them.
    if (name === "" || /^[+#-]/.test(name) || !/^\d{1,10}$/.test(id) || Number(id) > LARGEST_ID) continue;
    if (!ids.has(name)) ids.set(name, Number(id));
  }
  if (!ids.has("root")) ids.set("root", 0);
  return ids;
}

function linesOf(bytes: Uint8Array | undefined): string[] {
  if (bytes === undefined) return [];
  // Full names of people may be in any encoding; what matters is ASCII.
  const text = utf8Text(bytes) ?? byteKey(bytes.map((byte) => (byte > 0x7f ? 0x3f : byte)));
  return text.split("\n");
}
