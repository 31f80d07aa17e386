import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSource, type Extent, sweep } from "../../src/extents/index.ts";
import { directoryChunks, encodeEntry, encodeLongName } from "../../src/fat32/directory.ts";
import { FAT12, FAT16, FAT32 } from "../../src/fat32/geometry.ts";
import { type FatPlan, planFat, readFat, writeFat } from "../../src/fat32/index.ts";
import { labelBytes, longNameEntries, shortNameChecksum } from "../../src/fat32/names.ts";
import {
  directoryEntry,
  ENTRY_SIZE,
  LAST_LONG_ENTRY,
  longNameEntry,
  UNITS_PER_ENTRY,
} from "../../src/fat32/structures.ts";
import { decodeEntry, tableChunks } from "../../src/fat32/table.ts";
import { EARLIEST_TIME, LATEST_TIME, secondsOf } from "../../src/fat32/time.ts";
import { type Tree, treeOf } from "../../src/tree/index.ts";
import { anyFatTree } from "../support/fat-trees.ts";

const PAGE = 4096;

/** An image of which only the pages are held that something was written to: FAT32 has 33 MiB and more. */
async function sparseImage(extents: Iterable<Extent>, size: number): Promise<ByteSource> {
  const pages = new Map<number, Uint8Array>();
  await sweep(extents, (position, bytes) => {
    expect(position + bytes.length).toBeLessThanOrEqual(size);
    for (let done = 0; done < bytes.length; ) {
      const at = position + done;
      const page = Math.floor(at / PAGE);
      const part = bytes.subarray(done, done + PAGE - (at % PAGE));
      if (!pages.has(page)) pages.set(page, new Uint8Array(PAGE));
      pages.get(page)!.set(part, at % PAGE);
      done += part.length;
    }
  });
  return {
    size,
    read(position, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = position + done;
        const count = Math.min(length - done, PAGE - (at % PAGE));
        const page = pages.get(Math.floor(at / PAGE));
        if (page !== undefined) bytes.set(page.subarray(at % PAGE, (at % PAGE) + count), done);
        done += count;
      }
      return bytes;
    },
  };
}

const options = fc.record({
  bits: fc.constantFrom<(12 | 16 | 32 | "auto")[]>(12, 16, 32, "auto"),
  sectorSize: fc.constantFrom(512, 1024, 2048, 4096),
  label: fc.constantFrom("", "ESP", "MY DISK"),
  serial: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  freeBytes: fc.integer({ min: 0, max: 100_000 }),
});

/** What a volume should give back of a row: the time in steps of two seconds, between 1980 and 2107. */
function expectedRow(tree: Tree, row: number): unknown {
  const seconds = Math.min(Math.max(tree.columns.mtimeSeconds[row]!, EARLIEST_TIME), LATEST_TIME);
  const isFile = tree.isFile(row);
  return {
    path: new TextDecoder("utf-8", { ignoreBOM: true }).decode(tree.path(row)).slice(1),
    type: isFile ? "file" : "directory",
    size: isFile ? tree.columns.size[row]! : 0,
    mtime: BigInt(seconds - (seconds % 2)) * 1_000_000_000n,
  };
}

const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);

describe("a FAT volume", () => {
  it("gives back the tree that it was made from", async () => {
    await fc.assert(
      fc.asyncProperty(anyFatTree, options, async (entries, chosen) => {
        const tree = treeOf(entries);
        const plan = planFat(tree, chosen);
        const volume = (await readFat(await sparseImage(writeFat(plan), plan.size)))!;
        expect(volume).toMatchObject({
          type: plan.type,
          label: chosen.label,
          serial: chosen.serial,
          clusters: plan.clusters,
          freeClusters: plan.freeClusters,
        });
        expect(plan.freeBytes).toBeGreaterThanOrEqual(chosen.freeBytes);
        const found: { path: string }[] = [];
        const shortNames = new Set<string>();
        for await (const entry of volume.entries()) {
          const { path, type, size, mtime, shortName } = entry;
          found.push({ path, type, size, mtime } as { path: string });
          const parent = path.split("/").slice(0, -1).join("/");
          expect(shortNames.has(`${parent}/${shortName}`)).toBe(false);
          shortNames.add(`${parent}/${shortName}`);
          expect(shortName).toMatch(/^[A-Z0-9$%'\-_@~`!(){}^#&]{1,8}(\.[A-Z0-9$%'\-_@~`!(){}^#&]{1,3})?$/);
          if (type === "directory") continue;
          const row = tree.find(path)!;
          const content = tree.content(row);
          if (content.type === "bytes")
            expect(await volume.readFile(entry)).toEqual(new Uint8Array(content.bytes));
        }
        expect(volume.problems).toEqual([]);
        expect(await volume.check()).toEqual([]);
        const expected = Array.from({ length: tree.length - 1 }, (_, at) => expectedRow(tree, at + 1));
        expect(found.sort(byPath)).toEqual((expected as { path: string }[]).sort(byPath));
      }),
      { numRuns: 150 },
    );
  });

  it("has one owner for each byte, and writes only to what is owned", () => {
    fc.assert(
      fc.property(anyFatTree, options, (entries, chosen) => {
        const plan = planFat(treeOf(entries), chosen);
        const regions = [...plan.regions()];
        let end = 0;
        for (const { position, length } of regions) {
          expect(position).toBeGreaterThanOrEqual(end);
          expect(length).toBeGreaterThan(0);
          end = position + length;
        }
        expect(end).toBeLessThanOrEqual(plan.size);
        let region = 0;
        let written = 0;
        for (const { position, length } of writeFat(plan)) {
          expect(position).toBeGreaterThanOrEqual(written);
          written = position + length;
          while (region < regions.length && regions[region]!.position + regions[region]!.length <= position)
            region++;
          expect(position).toBeGreaterThanOrEqual(regions[region]!.position);
          expect(written).toBeLessThanOrEqual(regions[region]!.position + regions[region]!.length);
        }
      }),
    );
  });

  it("needs not a sector less than its smallest size", () => {
    fc.assert(
      fc.property(anyFatTree, options, (entries, chosen) => {
        const tree = treeOf(entries);
        const { size } = planFat(tree, chosen);
        expect(() => planFat(tree, { ...chosen, size: size - chosen.sectorSize })).toThrow();
        expect(planFat(tree, { ...chosen, size }).size).toBe(size);
      }),
    );
  });
});

describe("encoders by hand", () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const u8 = fc.integer({ min: 0, max: 0xff });
  const eleven = fc.uint8Array({ minLength: 11, maxLength: 11 });

  it("write directory entries as their record does", () => {
    const values = fc.record({
      attributes: u8,
      firstCluster: fc.integer({ min: 0, max: 0x0fffffff }),
      size: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      time: fc.record({ date: u16, time: u16, hundredths: u8 }),
    });
    fc.assert(
      fc.property(eleven, values, (shortName, entry) => {
        const bytes = new Uint8Array(ENTRY_SIZE);
        encodeEntry(new DataView(bytes.buffer), 0, shortName, 0, entry);
        const { date, time, hundredths } = entry.time;
        const record = directoryEntry.toBytes({
          shortName,
          attributes: entry.attributes,
          caseFlags: 0,
          creationHundredths: hundredths,
          creationTime: time,
          creationDate: date,
          accessDate: date,
          clusterHigh: Math.floor(entry.firstCluster / 2 ** 16),
          writeTime: time,
          writeDate: date,
          clusterLow: entry.firstCluster % 2 ** 16,
          size: entry.size,
        });
        expect(bytes).toEqual(record);
      }),
    );
  });

  it("write long names as their record does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 120 }), u8, (text, checksum) => {
        const count = longNameEntries(text.length);
        const bytes = new Uint8Array(count * ENTRY_SIZE);
        encodeLongName(new DataView(bytes.buffer), 0, text, count, checksum);
        const units = new Uint8Array(2 * UNITS_PER_ENTRY * count).fill(0xff);
        const padded = text.length % UNITS_PER_ENTRY === 0 ? text : `${text}\0`;
        for (let unit = 0; unit < padded.length; unit++) {
          new DataView(units.buffer).setUint16(2 * unit, padded.charCodeAt(unit), true);
        }
        const expected = new Uint8Array(bytes.length);
        for (let part = 1; part <= count; part++) {
          const at = (part - 1) * 2 * UNITS_PER_ENTRY;
          const record = longNameEntry.toBytes({
            order: part === count ? part + LAST_LONG_ENTRY : part,
            name1: units.subarray(at, at + 10),
            attributes: 0x0f,
            type: 0,
            checksum,
            name2: units.subarray(at + 10, at + 22),
            cluster: 0,
            name3: units.subarray(at + 22, at + 26),
          });
          expected.set(record, (count - part) * ENTRY_SIZE);
        }
        expect(bytes).toEqual(expected);
      }),
    );
  });

  it("write tables that lead through every chain", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(FAT12, FAT16, FAT32),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 900 })), {
          maxLength: 40,
        }),
        (format, wanted) => {
          let room = format.mostClusters;
          const lengths = wanted.filter((length) => (length <= room ? (room -= length) >= 0 : false));
          const all = new Uint8Array(200_000);
          let end = 0;
          for (const { offset, bytes } of tableChunks(format, lengths)) {
            expect(offset).toBe(end);
            expect(bytes.length).toBeLessThanOrEqual(65_536);
            all.set(bytes, offset);
            end = offset + bytes.length;
          }
          const view = new DataView(all.buffer);
          const used = lengths.reduce((sum, length) => sum + length, 0);
          expect(end).toBe(Math.ceil(((used + 2) * format.bits) / 8));
          expect(decodeEntry(format.bits, view, 0) & 0xff).toBe(0xf8);
          expect(decodeEntry(format.bits, view, 1)).toBe(format.endOfChain);
          let cluster = 2;
          for (const length of lengths) {
            for (let index = 1; index <= length; index++, cluster++) {
              const expected = index === length ? format.endOfChain : cluster + 1;
              expect(decodeEntry(format.bits, view, cluster)).toBe(expected);
            }
          }
          expect(decodeEntry(format.bits, view, cluster)).toBe(0);
        },
      ),
    );
  });

  it("fill exactly the entries that were planned, and sign every long name", () => {
    fc.assert(
      fc.property(anyFatTree, (entries) => {
        const plan: FatPlan = planFat(treeOf(entries), { serial: 1, bits: 12, label: "X" });
        const { inventory, firstCluster, tree } = plan;
        for (let row = 0; row < tree.length; row++) {
          if (!tree.isDirectory(row)) continue;
          const placement = { inventory, firstCluster, label: labelBytes(plan.label), time: undefined };
          const bytes = [...directoryChunks(placement, row)].flatMap((chunk) => [...chunk]);
          expect(bytes).toHaveLength(inventory.directorySlots[row]! * ENTRY_SIZE);
          const all = Uint8Array.from(bytes);
          let checksums: number[] = [];
          for (let at = 0; at < all.length; at += ENTRY_SIZE) {
            if (all[at + 0xb] === 0x0f) checksums.push(all[at + 0xd]!);
            else {
              expect(checksums.every((checksum) => checksum === shortNameChecksum(all, at))).toBe(true);
              checksums = [];
              const { writeDate, writeTime } = directoryEntry.fromBytes(all, at);
              expect(secondsOf(writeDate, writeTime)).toBeGreaterThanOrEqual(EARLIEST_TIME);
            }
          }
        }
      }),
    );
  });
});

describe("readFat", () => {
  it("ends on whatever bytes it is given", async () => {
    const tree = treeOf([
      { path: "d/e/some long name.txt", type: "file", content: "x".repeat(2000) },
      { path: "B", type: "file", content: "y" },
    ]);
    const plan = planFat(tree, { serial: 1, bits: 12, size: 60_000 });
    const clean = await (await sparseImage(writeFat(plan), plan.size)).read(0, plan.size);
    const change = fc.record({ at: fc.nat(25_000), value: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
        const bytes = clean.slice();
        for (const { at, value } of changes) bytes[at < 600 ? at : at % 24_000] = value;
        const source: ByteSource = {
          size: bytes.length,
          read(position, length) {
            expect(position + length).toBeLessThanOrEqual(bytes.length);
            return bytes.subarray(position, position + length);
          },
        };
        try {
          const volume = await readFat(source);
          if (volume === undefined) return;
          await volume.check();
          for await (const entry of volume.entries()) {
            expect(entry.path.split("/")).not.toContain("..");
            if (entry.type === "file") await volume.readFile(entry);
          }
        } catch (error) {
          if ((error as { code?: string }).code !== "CORRUPT") throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
