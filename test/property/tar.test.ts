import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { contentBytes } from "../../src/extents/index.ts";
import { tarArchive } from "../../src/node/index.ts";
import { TarReader } from "../../src/tar/index.ts";
import { type DataRange, type Entry, treeOf } from "../../src/tree/index.ts";
import { scratchDirectory } from "../support/referee.ts";
import {
  gnuArchive,
  memoryInput,
  type PaxSparse,
  paxArchive,
  type WriterEntry,
  withChecksum,
  type XattrStyle,
} from "../support/tar-writer.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";
import { anyRichTree } from "../support/trees.ts";

const scratch = scratchDirectory();

/** The same tree for the writer of archives, and as it is to be read. */
interface Both {
  readonly written: readonly WriterEntry[];
  readonly expected: readonly Entry[];
}

const BLOCK = 4096;

/** Entries with their content in memory, holes in it zeros; a symlink's target must fit what follows it. */
async function both(entries: readonly Entry[], { whole = false }): Promise<Both> {
  const written: WriterEntry[] = [];
  const expected: Entry[] = [];
  for (const entry of entries) {
    // No archive holds a socket.
    if (entry.type === "socket") continue;
    const path = (entry.path as Uint8Array).subarray(1);
    const target = entry.target === undefined ? undefined : Buffer.from(entry.target);
    const mtime = whole ? (entry.mtime ?? 0n) - modulo(entry.mtime ?? 0n, 1_000_000_000n) : entry.mtime;
    const xattrs = whole ? undefined : entry.xattrs;
    const common = { ...entry, mode: modeOf(entry.mode ?? 0, xattrs), mtime, xattrs, path, target };
    if (entry.type !== "file") {
      written.push(common as WriterEntry);
      expected.push({ ...common, path: entry.path, xattrs: asRead(xattrs) } as Entry);
      continue;
    }
    const content = (await contentBytes(entry.content as never, undefined)).slice();
    const { data } = entry;
    if (data !== undefined) clearHoles(content, data);
    written.push({ ...common, content, data } as WriterEntry);
    expected.push({
      ...common,
      path: entry.path,
      content,
      data: data && blocksWithData(content),
      xattrs: asRead(xattrs),
    } as Entry);
  }
  const kept = new Set(written.map(({ path }) => Buffer.from(path).toString("latin1")));
  const isKept = ({ type, target }: { type: string; target?: unknown }): boolean =>
    type !== "hardlink" ||
    kept.has(
      Buffer.from(target as Uint8Array)
        .toString("latin1")
        .replace(/^\//, ""),
    );
  return { written: written.filter(isKept), expected: expected.filter(isKept) };
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}

function clearHoles(content: Uint8Array, data: readonly DataRange[]): void {
  let end = 0;
  for (const { offset, length } of data) {
    content.fill(0, end, offset);
    end = offset + length;
  }
  content.fill(0, end);
}

/** Which blocks of 4 KiB are not all zeros. */
function blocksWithData(content: Uint8Array): DataRange[] | undefined {
  const ranges: { offset: number; length: number }[] = [];
  for (let offset = 0; offset < content.length; offset += BLOCK) {
    const block = content.subarray(offset, offset + BLOCK);
    if (block.every((byte) => byte === 0)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += block.length;
    else ranges.push({ offset, length: block.length });
  }
  const isWhole = content.length === 0 || ranges[0]?.length === content.length;
  return isWhole ? undefined : ranges;
}

/** The mode of a file with an access control list is what that says: of the owner, the mask or group, and others. */
function modeOf(mode: number, xattrs: Entry["xattrs"]): number {
  const value = xattrs?.get("system.posix_acl_access");
  if (value === undefined) return mode;
  const entries = Array.from({ length: (value.length - 4) / 8 }, (_, index) => value.subarray(4 + 8 * index));
  const of = (tag: number): number | undefined => entries.find((entry) => entry[0] === tag)?.[2];
  return (mode & 0o7000) | (of(1)! << 6) | ((of(0x10) ?? of(4))! << 3) | of(0x20)!;
}

/** Access control lists of three entries say what the mode says; others are in the order of their ids. */
function asRead(xattrs: Entry["xattrs"]): Entry["xattrs"] {
  if (xattrs === undefined) return undefined;
  const found = new Map<string, Uint8Array>();
  for (const [name, value] of xattrs) {
    const isAcl = name.startsWith("system.posix_acl_");
    if (name === "system.posix_acl_access" && value.length === 4 + 3 * 8) continue;
    found.set(name, isAcl ? inOrder(value) : value);
  }
  return found;
}

function inOrder(value: Uint8Array): Uint8Array {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const starts = Array.from({ length: (value.length - 4) / 8 }, (_, index) => 4 + 8 * index);
  starts.sort(
    (a, b) =>
      view.getUint16(a, true) - view.getUint16(b, true) ||
      view.getUint32(a + 4, true) - view.getUint32(b + 4, true),
  );
  return Uint8Array.from([
    ...value.subarray(0, 4),
    ...starts.flatMap((at) => [...value.subarray(at, at + 8)]),
  ]);
}

let number = 0;

async function expectRead(
  archive: Uint8Array,
  expected: readonly Entry[],
  isStreamed: boolean,
): Promise<void> {
  const path = join(scratch, `${number++}.tar`);
  writeFileSync(path, isStreamed ? gzipSync(archive, { level: 1 }) : archive);
  const found = await tarArchive(path, { xattrs: "all", spoolDirectory: scratch });
  const wanted = await treeSnapshot(treeOf(expected));
  const seen = await treeSnapshot(found);
  expect([...seen.keys()]).toEqual([...wanted.keys()]);
  for (const [entry, attributes] of wanted) expect([entry, seen.get(entry)]).toEqual([entry, attributes]);
}

const anySparse = fc.constantFrom<PaxSparse>("0.0", "0.1", "1.0");
const anyStyle = fc.constantFrom<XattrStyle>("SCHILY", "LIBARCHIVE");

describe("what was written is what is read", () => {
  it("in pax", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyRichTree(5000),
        anySparse,
        anyStyle,
        fc.boolean(),
        async (tree, sparse, style, piped) => {
          const { written, expected } = await both(tree, {});
          await expectRead(paxArchive(written, sparse, style), expected, piped);
        },
      ),
    );
  });

  it("in the format of GNU tar", async () => {
    await fc.assert(
      fc.asyncProperty(anyRichTree(10), fc.boolean(), async (tree, piped) => {
        const { written, expected } = await both(tree, { whole: true });
        await expectRead(gnuArchive(written), expected, piped);
      }),
    );
  });
});

/** Reads all that an archive has; returns how many members there were before the end or the error. */
async function readAll(archive: Uint8Array): Promise<number> {
  const reader = new TarReader(memoryInput(archive));
  let members = 0;
  try {
    for (let member = await reader.next(); member !== undefined; member = await reader.next()) {
      members++;
      let stored = 0;
      await reader.content((bytes) => void (stored += bytes.length));
      expect(stored).toBe(member.stored);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(error).toMatchObject({ code: "CORRUPT" });
  }
  return members;
}

describe("damage is told, or does no harm", () => {
  const utf8 = new TextEncoder();
  const file = (name: string, size: number): WriterEntry => ({
    path: utf8.encode(name),
    type: "file",
    content: new Uint8Array(size).fill(7),
  });
  const entries: WriterEntry[] = [
    { path: utf8.encode("d"), type: "directory" },
    { ...file("d/holes", 9000), data: [{ offset: 4096, length: 100 }] },
    { ...file(`d/${"n".repeat(150)}`, 600), xattrs: new Map([["user.x", Uint8Array.of(1, 0, 10)]]) },
    { path: utf8.encode("link"), type: "hardlink", target: utf8.encode("d/holes") },
    { path: utf8.encode("symlink"), type: "symlink", target: utf8.encode("t".repeat(120)) },
    { path: utf8.encode("null"), type: "character", device: { major: 1, minor: 3 } },
    { path: utf8.encode("owned"), type: "fifo", uid: 4_294_967_294, mtime: -1_500_000_000n },
  ];
  const archives = [
    paxArchive(entries, "0.0"),
    paxArchive(entries, "0.1"),
    paxArchive(entries, "1.0", "LIBARCHIVE"),
    gnuArchive(entries),
  ];
  const anyArchive = fc.constantFrom(...archives);
  const most = Math.max(...archives.map(({ length }) => length / 512));

  const anyByte = fc.oneof(fc.nat(255), fc.constantFrom(0, 0x80, 0xff, 0x30, 0x31, 0x39));
  const anyDamaged = fc
    .tuple(anyArchive, fc.array(fc.tuple(fc.nat(), anyByte), { minLength: 1, maxLength: 6 }))
    .map(([archive, changes]) => {
      const damaged = archive.slice();
      for (const [where, byte] of changes) {
        const at = where % damaged.length;
        damaged[at] = byte;
        const block = damaged.subarray(at - (at % 512), at - (at % 512) + 512);
        // Headers are told by their magic; what is not one is left as it is.
        if (block[257] === 0x75 && block[258] === 0x73) withChecksum(block);
      }
      return damaged;
    });

  it("by bytes that change, under checksums that fit", async () => {
    const property = fc.asyncProperty(anyDamaged, async (damaged) => {
      expect(await readAll(damaged)).toBeLessThan(most);
    });
    await fc.assert(property, { numRuns: 1000 });
  });

  it("when it becomes a tree", async () => {
    const path = join(scratch, "damaged.tar");
    const property = fc.asyncProperty(anyDamaged, fc.boolean(), async (damaged, isStreamed) => {
      writeFileSync(path, isStreamed ? gzipSync(damaged, { level: 1 }) : damaged);
      const found = await tarArchive(path, { spoolDirectory: scratch }).catch((error: unknown) => error);
      if (found instanceof Error) expect(found).toBeInstanceOf(DiskwrightError);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it("by an end that comes early", async () => {
    await fc.assert(
      fc.asyncProperty(anyArchive, fc.nat(), async (archive, end) => {
        expect(await readAll(archive.subarray(0, end % archive.length))).toBeLessThanOrEqual(entries.length);
      }),
      { numRuns: 500 },
    );
    for (const archive of archives) expect(await readAll(archive)).toBe(entries.length);
  });
});
