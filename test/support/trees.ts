import fc from "fast-check";
import type { Content } from "../../src/extents/index.ts";
import type { DataRange, Entry } from "../../src/tree/index.ts";
import { anyXattrs } from "./xattrs.ts";

/** Content whose bytes follow from its seed: a file of any size that takes no memory. */
export function patterned(size: number, seed: number): Content {
  return {
    type: "function",
    size,
    read(offset, into): number {
      const count = Math.min(into.length, size - offset);
      for (let index = 0; index < count; index++) into[index] = (seed * 31 + (offset + index) * 7 + 1) & 0xff;
      return count;
    },
  };
}

/** The bytes of {@link patterned} content. */
export function patternedBytes(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (seed * 31 + index * 7 + 1) & 0xff;
  return bytes;
}

/** A name of 1 to 255 bytes of any value but NUL and slash. */
const anyName: fc.Arbitrary<Uint8Array> = fc
  .oneof(
    { weight: 6, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 240, maxLength: 255 }) },
  )
  .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte)))
  .filter(
    (bytes) => !(bytes[0] === 0x2e && (bytes.length === 1 || (bytes.length === 2 && bytes[1] === 0x2e))),
  );

const boundarySize = fc.oneof(
  fc.constantFrom(0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 65536),
  fc.integer({ min: 0, max: 40_000 }),
);

/** Seconds from 1901 to 2446, without those that e2fsck takes for others. */
const time = fc
  .oneof(
    fc.constantFrom(-(2 ** 31), -1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 10_000_000_000),
    fc.integer({ min: -(2 ** 31), max: 10_000_000_000 }),
  )
  .chain((seconds) =>
    fc
      .integer({ min: 0, max: 999_999_999 })
      .map((nanoseconds) => BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)),
  );

const metadata = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.constantFrom(0, 1000, 65535, 65536, 4294967294),
  gid: fc.constantFrom(0, 100, 65536, 4294967295),
  mtime: time,
});

const something = fc.oneof(
  { weight: 5, arbitrary: boundarySize.map((size) => ({ type: "file" as const, size })) },
  { weight: 2, arbitrary: fc.constant({ type: "directory" as const }) },
  {
    weight: 2,
    arbitrary: fc
      .oneof(fc.constantFrom(1, 58, 59, 60, 61, 1000, 1023), fc.integer({ min: 1, max: 200 }))
      .map((length) => ({ type: "symlink" as const, target: "t".repeat(length) })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("character" as const, "block" as const), fc.nat(0xfff), fc.nat(0xfffff))
      .map(([type, major, minor]) => ({ type, device: { major, minor } })),
  },
  { weight: 1, arbitrary: fc.constantFrom({ type: "fifo" as const }, { type: "socket" as const }) },
);

/** Random trees of every type of entry, with names of any bytes, and hard links. */
export const anyTree: fc.Arbitrary<Entry[]> = fc
  .array(fc.tuple(fc.nat(), anyName, something, metadata, fc.nat()), { maxLength: 40 })
  .map((recipes) => {
    const directories: Uint8Array[] = [new Uint8Array(0)];
    const linkable: Uint8Array[] = [];
    const entries = new Map<string, Entry>();
    recipes.forEach(([at, name, what, common, link], index) => {
      const parent = directories[at % directories.length]!;
      const path = Uint8Array.from([...parent, 0x2f, ...name]);
      const key = path.join();
      if (entries.has(key) || (parent.length === 0 && new TextDecoder().decode(name) === "lost+found"))
        return;
      if (link % 7 === 0 && linkable.length > 0 && what.type !== "directory") {
        entries.set(key, { path, type: "hardlink", target: linkable[link % linkable.length]! });
        return;
      }
      if (what.type === "directory") directories.push(path);
      else linkable.push(path);
      entries.set(
        key,
        what.type === "file"
          ? { path, type: "file", ...common, content: patterned(what.size, index) }
          : { path, ...common, ...what },
      );
    });
    return [...entries.values()];
  });

const HOLE_UNIT = 4096;

/** The parts of a file that hold data: any of its blocks of 4 KiB. */
function dataOf(size: number, pattern: number): DataRange[] {
  const data: DataRange[] = [];
  for (let offset = 0, block = 0; offset < size; offset += HOLE_UNIT, block++) {
    if (((pattern >> (block % 24)) & 1) === 0) continue;
    data.push({ offset, length: Math.min(HOLE_UNIT, size - offset) });
  }
  return data;
}

/**
 * Random trees as {@link anyTree}, in which some files have holes, and entries of all types those attributes
 * that a kernel lets them have; values of up to `largest` bytes.
 */
export function anyRichTree(largest: number): fc.Arbitrary<Entry[]> {
  const extras = fc.record({
    xattrs: anyXattrs(largest, true),
    holes: fc.nat(0xffffff),
    which: fc.nat(5),
  });
  return fc.tuple(anyTree, fc.array(extras, { minLength: 1, maxLength: 6 })).map(([entries, choices]) =>
    entries.map((entry, index): Entry => {
      const { xattrs, holes, which } = choices[index % choices.length]!;
      if (entry.type === "hardlink") return entry;
      const allowed = [...xattrs].filter(([name]) => isAllowed(entry.type, name));
      const size = typeof entry.content === "object" && "size" in entry.content ? entry.content.size : 0;
      return {
        ...entry,
        // 4294967295 can be stored, but to Linux it is nobody: not even root may read such a file.
        gid: Math.min(entry.gid ?? 0, 4_294_967_294),
        ...(which % 2 === 0 && allowed.length > 0 ? { xattrs: new Map(allowed) } : {}),
        ...(which % 3 === 0 && entry.type === "file" ? { data: dataOf(size, holes) } : {}),
      };
    }),
  );
}

/** Only files and directories have attributes of users and lists of access, only directories lists to hand on. */
function isAllowed(type: Entry["type"], name: string): boolean {
  if (name === "system.posix_acl_default") return type === "directory";
  return type === "file" || type === "directory" || /^(trusted|security)\./.test(name);
}
