import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.ts";

export type Xattrs = ReadonlyMap<string, Uint8Array>;

const NO_ID = 0xffffffff;

/** An ACL in the form of getxattr: version 2, then tag, permissions and id of each entry. */
export function acl(
  ...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]
): Uint8Array {
  const bytes = new Uint8Array(4 + 8 * entries.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2, true);
  entries.forEach(([tag, permissions, id = NO_ID], index) => {
    view.setUint16(4 + 8 * index, tag, true);
    view.setUint16(6 + 8 * index, permissions, true);
    view.setUint32(8 + 8 * index, id, true);
  });
  return bytes;
}

const permissions = fc.integer({ min: 0, max: 7 });
const named = fc.uniqueArray(fc.constantFrom(0, 1, 1000, 65536, 4294967294), { maxLength: 4 });

/** Sound ACLs, with and without named users and groups. */
export const anyAcl: fc.Arbitrary<Uint8Array> = fc
  .tuple(named, named, fc.array(permissions, { minLength: 4, maxLength: 4 }), permissions)
  .map(([users, groups, [owner, group, mask, others], each]) =>
    acl(
      [0x01, owner!],
      ...users.map((id) => [0x02, each, id] as const),
      [0x04, group!],
      ...groups.map((id) => [0x08, each, id] as const),
      ...(users.length + groups.length > 0 ? [[0x10, mask!] as const] : []),
      [0x20, others!],
    ),
  );

const anyRest = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "bb", "ba", "comment", "ümlaut", "\u{1f4be}") },
  { weight: 2, arbitrary: fc.stringMatching(/^[a-z.]{1,20}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z]{230,245}$/) },
);

const anyName = fc
  .tuple(fc.constantFrom("user.", "trusted.", "security."), anyRest)
  .map(([prefix, rest]) => prefix + rest)
  .filter((name) => name !== "security.capability" && utf8(name).length <= 255);

/** Values of up to `largest` bytes, mostly short ones; 0 among them. */
function anyValue(largest: number): fc.Arbitrary<Uint8Array> {
  const size = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: largest }) },
  );
  return fc.tuple(size, fc.nat(255)).map(([length, seed]) => {
    return Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7 + (index >> 8)) & 0xff);
  });
}

/** Sets of attributes; with ACLs those that a directory can have. */
export function anyXattrs(largest: number, withAcls: boolean): fc.Arbitrary<Map<string, Uint8Array>> {
  return fc
    .tuple(
      fc.uniqueArray(fc.tuple(anyName, anyValue(largest)), { selector: ([name]) => name, maxLength: 8 }),
      fc.option(anyAcl, { nil: undefined }),
      fc.option(anyAcl, { nil: undefined }),
    )
    .map(([plain, access, standard]) => {
      const xattrs = new Map(plain);
      if (withAcls && access !== undefined) xattrs.set("system.posix_acl_access", access);
      if (withAcls && standard !== undefined) xattrs.set("system.posix_acl_default", standard);
      return xattrs;
    });
}
