import { describe, expect, it } from "vitest";
import { bytesSource } from "../../src/extents/index.ts";
import { checkAzureSize, openVpc, planVpc, vpcLayout } from "../../src/vpc/index.ts";
import { bitmapSize, checksumOf, vhdFooter, vhdHeader } from "../../src/vpc/structures.ts";
import { FACTS, orderedContainer, pattern, type TestDisk } from "../support/containers.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const disk: TestDisk = {
  size: 9 * MIB,
  parts: [
    { position: 2 * MIB, bytes: pattern(10_000, 1) },
    { position: 8 * MIB, bytes: pattern(10, 2) },
  ],
};
const dynamic = await orderedContainer(() => vpcLayout(planVpc({ size: disk.size })), disk);
const fixed = await orderedContainer(() => vpcLayout(planVpc({ size: disk.size, variant: "fixed" })), disk);
const [HEADER, TABLE, DATA] = [512, 1536, 2048];
const END = dynamic.length - 512;
const footerAt = (name: string): number => vhdFooter.offsetOf(name);
const headerAt = (name: string): number => HEADER + vhdHeader.offsetOf(name);

/** A file with some bytes changed. */
function damaged(offset: number, ...bytes: number[]): Uint8Array {
  const copy = dynamic.slice();
  copy.set(bytes, offset);
  return copy;
}

/** Sets the checksum of the structure at `offset`. */
function seal(file: Uint8Array, offset: number, size: number, checksumOffset: number): void {
  const sum = checksumOf(file.subarray(offset, offset + size), checksumOffset);
  new DataView(file.buffer, file.byteOffset).setUint32(offset + checksumOffset, sum);
}

/** A file whose footers have other bytes, and checksums that are right. */
function footers(
  file: Uint8Array,
  places: readonly number[],
  offset: number,
  ...bytes: number[]
): Uint8Array {
  const copy = file.slice();
  for (const place of places) {
    copy.set(bytes, place + offset);
    seal(copy, place, 512, footerAt("checksum"));
  }
  return copy;
}

const both = (offset: number, ...bytes: number[]) => footers(dynamic, [0, END], offset, ...bytes);

/** The dynamic file with other bytes in its header, whose checksum is right. */
function header(offset: number, ...bytes: number[]): Uint8Array {
  const copy = damaged(offset, ...bytes);
  seal(copy, HEADER, vhdHeader.span, vhdHeader.offsetOf("checksum"));
  return copy;
}

const open = (bytes: Uint8Array) => openVpc(bytesSource(bytes));

describe("a dynamic vpc", () => {
  it("has its footer twice, a header, a table and blocks behind bitmaps", () => {
    const footer = vhdFooter.fromBytes(dynamic);
    expect(vhdFooter.span).toBe(512);
    expect(vhdHeader.span).toBe(1024);
    expect(dynamic.subarray(END)).toEqual(dynamic.subarray(0, 512));
    expect(footer).toMatchObject({
      features: 2,
      version: 0x10000,
      headerOffset: 512n,
      time: FACTS.time - 946_684_800,
      originalSize: BigInt(disk.size),
      currentSize: BigInt(disk.size),
      cylinders: 65_535,
      heads: 16,
      sectors: 255,
      type: 3,
      uuid: FACTS.identity.uuid("vpc"),
      savedState: 0,
    });
    expect(String.fromCharCode(...footer.creator, ...footer.creatorSystem)).toBe("qem2Wi2k");
    expect(vhdHeader.fromBytes(dynamic, HEADER)).toMatchObject({
      nextOffset: 2n ** 64n - 1n,
      tableOffset: 1536n,
      version: 0x10000,
      tableEntries: 5,
      blockSize: 2 * MIB,
    });
    const table = new DataView(dynamic.buffer, TABLE, 512);
    const entries = Array.from({ length: 128 }, (_, block) => table.getUint32(4 * block));
    expect(entries.slice(0, 6)).toEqual([-1, DATA / 512, -1, -1, DATA / 512 + 4097, -1].map((n) => n >>> 0));
    expect(entries.slice(6).every((entry) => entry === 0xffffffff)).toBe(true);
    expect(dynamic.subarray(DATA, DATA + 512).every((byte) => byte === 0xff)).toBe(true);
    expect(END).toBe(DATA + 2 * (512 + 2 * MIB));
  });

  it("has checksums of all bytes but their own", () => {
    const footer = vhdFooter.fromBytes(dynamic);
    let sum = 0;
    for (const byte of dynamic.subarray(0, 512)) sum += byte;
    for (let shift = 0; shift < 32; shift += 8) sum -= (footer.checksum >>> shift) & 0xff;
    expect(footer.checksum).toBe(0xffffffff - sum);
  });

  it("of 0 bytes has an empty table", async () => {
    const bytes = await orderedContainer(() => vpcLayout(planVpc({ size: 0 })), { size: 0, parts: [] });
    expect(bytes.length).toBe(1536 + 512);
    expect((await open(bytes))!.size).toBe(0);
  });

  it("keeps the sectors of a full file of the largest size in 32 bits", () => {
    const { blocks, dataOffset, blockStride } = planVpc({ size: 2040 * GIB });
    expect((dataOffset + (blocks - 1) * blockStride) / 512).toBeLessThan(0xffffffff);
  });
});

describe("a fixed vpc", () => {
  it("is the disk, and a footer", () => {
    expect(fixed.length).toBe(disk.size + 512);
    expect(vhdFooter.fromBytes(fixed, disk.size)).toMatchObject({ type: 2, headerOffset: 2n ** 64n - 1n });
    expect(fixed.subarray(2 * MIB, 2 * MIB + 10_000)).toEqual(disk.parts[0]!.bytes);
  });
});

describe("the plan of a vpc", () => {
  it("takes a uuid", async () => {
    const uuid = "01234567-89AB-cdef-0123-456789abcdef";
    const layout = () => vpcLayout(planVpc({ size: 512, variant: "fixed", uuid }));
    const bytes = await orderedContainer(layout, { size: 512, parts: [] });
    expect(vhdFooter.fromBytes(bytes, 512).uuid).toBe(uuid.toLowerCase());
    expect(() => planVpc({ size: 512, uuid: "{x}" })).toThrow("not a GUID");
  });

  it.each([
    [0, 0],
    [946_684_800.9, 0],
    [946_684_801, 1],
    [2 ** 40, 0xffffffff],
  ])("has a time for %d", (time, stored) => {
    const { extents } = vpcLayout(planVpc({ size: 512 })).finish({ ...FACTS, time });
    const [first] = [...extents];
    expect(vhdFooter.fromBytes(first!.source as Uint8Array).time).toBe(stored);
  });

  it.each([
    [511, "dynamic", "sectors of 512 bytes"],
    [2040 * GIB + 512, "dynamic", "it holds at most"],
    [2040 * GIB + 512, "fixed", "it holds at most"],
    [0, "fixed", "make it dynamic"],
  ] as const)("refuses %d bytes, %s", (size, variant, reason) => {
    expect(() => planVpc({ size, variant })).toThrow(reason);
  });
});

describe("what Azure takes", () => {
  it.each([20 * MIB, 21 * MIB, 2040 * GIB])("is %d bytes", (size) => {
    expect(() => checkAzureSize(size)).not.toThrow();
  });

  it.each([
    [0, "20 MiB are the least; make the disk 20 MiB large"],
    [20 * MIB - 512, "20 MiB are the least; make the disk 20 MiB large"],
    [20 * MIB + 512, "a multiple of 1 MiB; make the disk 21 MiB large (truncate --size=21M)"],
    [2041 * GIB, "at most 2040 GiB"],
  ])("is not %d bytes", (size, reason) => {
    expect(() => checkAzureSize(size)).toThrow(reason);
  });
});

describe("the reader of vpc", () => {
  it("knows what is none", async () => {
    expect(await open(new Uint8Array(4096))).toBeUndefined();
    expect(await open(new Uint8Array(511))).toBeUndefined();
    expect(await open(new Uint8Array(0))).toBeUndefined();
  });

  it("tells what it is", async () => {
    const opened = await open(dynamic);
    expect(opened).toMatchObject({ format: "vpc", size: disk.size, problems: [] });
    expect(opened!.details).toEqual({
      variant: "dynamic",
      blockSize: 2 * MIB,
      blocksAllocated: 2,
      creator: "qem2",
      uuid: FACTS.identity.uuid("vpc"),
    });
    expect((await open(fixed))!.details).toMatchObject({ variant: "fixed" });
  });

  it("takes the current size, whatever the geometry", async () => {
    const bytes = both(footerAt("cylinders"), 0, 1, 4, 17);
    expect((await open(bytes))!.size).toBe(disk.size);
  });

  const old = (bytes: Uint8Array) => bytes.slice(0, -1);
  it.each([
    ["dynamic", old(dynamic)],
    ["fixed", old(fixed)],
  ])("reads the old footer of a %s one, a byte shorter", async (_, bytes) => {
    const opened = await open(bytes);
    expect(opened).toMatchObject({ size: disk.size, problems: [] });
    expect(await opened!.read(2 * MIB, 10_000)).toEqual(disk.parts[0]!.bytes);
  });

  const start = "the footer at the start of the vpc file is missing or damaged";
  const end = "the footer at the end of the vpc file is missing or damaged: the file may have been cut off";
  it.each([
    ["no footer at the start", damaged(0, 0), start],
    ["a damaged footer at the start", damaged(100, 1), start],
    ["a damaged footer at the end", damaged(END + 100, 1), end],
    ["a file without its footer", dynamic.slice(0, END), end],
    [
      "footers that differ",
      footers(dynamic, [END], footerAt("time"), 1),
      "the two footers of the vpc file differ",
    ],
    ["a saved state", both(footerAt("savedState"), 1), "saved state"],
  ])("reads %s, and tells", async (_, bytes, problem) => {
    const opened = await open(bytes);
    expect(opened!.problems).toEqual([expect.stringContaining(problem)]);
    expect(await opened!.read(2 * MIB, 10_000)).toEqual(disk.parts[0]!.bytes);
  });

  it("tells what lies between a fixed disk and its footer", async () => {
    const bytes = footers(fixed, [disk.size], footerAt("currentSize"), 0, 0, 0, 0, 0, 0x8f, 0xfe, 0);
    const opened = await open(bytes);
    expect(opened!.size).toBe(disk.size - 512);
    expect(opened!.problems).toEqual(["512 bytes lie between the disk and the footer of the vpc file"]);
  });

  it("reads sectors as zeros that were never written", async () => {
    // Of sectors 0 to 18 of block 1, which have content, the third, and all from the ninth on.
    const opened = await open(damaged(DATA, 0b1101_1111, 0, 0));
    const expected = disk.parts[0]!.bytes.slice();
    expected.fill(0, 1024, 1536).fill(0, 4096);
    expect(await opened!.read(2 * MIB, 10_000)).toEqual(expected);
    expect(await opened!.read(2 * MIB + 1000, 100)).toEqual(expected.slice(1000, 1100));
    expect(await opened!.read(8 * MIB, 10)).toEqual(disk.parts[1]!.bytes);
  });

  it.each([4096, 512 * 1024, 4 * MIB])("reads blocks of %d bytes", async (blockSize) => {
    const content = pattern(9 * 512, 3);
    const blocks = Math.ceil(disk.size / blockSize);
    const data = TABLE + Math.ceil((4 * blocks) / 512) * 512;
    const bitmap = bitmapSize(blockSize);
    const bytes = new Uint8Array(data + 2 * (bitmap + blockSize) + 512);
    bytes.set(dynamic.subarray(0, TABLE));
    const view = new DataView(bytes.buffer);
    view.setUint32(headerAt("tableEntries"), blocks);
    view.setUint32(headerAt("blockSize"), blockSize);
    seal(bytes, HEADER, vhdHeader.span, vhdHeader.offsetOf("checksum"));
    bytes.fill(0xff, TABLE, TABLE + 4 * blocks);
    // The two blocks in the middle lie in the other order in the file.
    const middle = Math.floor(blocks / 2);
    view.setUint32(TABLE + 4 * (middle - 1), (data + bitmap + blockSize) / 512);
    view.setUint32(TABLE + 4 * middle, data / 512);
    bytes.fill(0xff, data, data + bitmap);
    bytes.fill(0xff, data + bitmap + blockSize, data + 2 * bitmap + blockSize);
    bytes.set(content.subarray(4096), data + bitmap);
    bytes.set(content.subarray(0, 4096), data + 2 * (bitmap + blockSize) - 4096);
    bytes.set(dynamic.subarray(0, 512), bytes.length - 512);
    const opened = await open(bytes);
    expect(opened!.problems).toEqual([]);
    expect(await opened!.read(middle * blockSize - 4096, content.length)).toEqual(content);
  });

  it("does not look at entries behind the disk", async () => {
    const bytes = header(headerAt("tableEntries") + 3, 6);
    bytes.set([0, 0, 0, 0], TABLE + 20);
    expect((await open(bytes))!.problems).toEqual([]);
  });

  it.each([
    ["a difference", both(footerAt("type") + 3, 4), "difference to another disk"],
    ["an unknown type", both(footerAt("type") + 3, 5), "its type is 5"],
    ["another version", both(footerAt("version") + 1, 2), "has version 2.0"],
    ["a size within a sector", both(footerAt("currentSize") + 7, 1), "no multiple of a sector"],
    ["a disk that is too large", both(footerAt("currentSize") + 1, 1), "2040 GiB are read"],
    [
      "two damaged footers",
      both(100, 1)
        .fill(1, 101, 102)
        .fill(1, END + 101, END + 102),
      "checksum of its footer",
    ],
    [
      "footers that contradict each other",
      footers(dynamic, [END], footerAt("currentSize") + 5, 0x80),
      "contradict each other: currentSize is 9437184 at its start, 8388608 at its end",
    ],
    ["a fixed disk without its end", fixed.slice(10), "cut off"],
    [
      "a fixed disk in the footer at the start",
      footers(dynamic, [0], footerAt("type") + 3, 2).slice(0, END),
      "no footer at its end",
    ],
    ["a header beyond the end", both(footerAt("headerOffset") + 1, 1), "its header should start at byte"],
    [
      "a header across the end",
      both(footerAt("headerOffset") + 5, 0x40, 0x0c, 0),
      "the header of the vpc file",
    ],
    ["no header", damaged(HEADER, 0), "no header where its footer says"],
    ["a damaged header", damaged(HEADER + 800, 1), "checksum of its header"],
    ["another version of the header", header(headerAt("version") + 1, 2), "header has version 2.0"],
    ["blocks of 0 bytes", header(headerAt("blockSize") + 1, 0), "0 bytes, which is no power of two"],
    ["blocks of 3 MiB", header(headerAt("blockSize") + 1, 0x30), "no power of two"],
    ["blocks of 2 KiB", header(headerAt("blockSize"), 0, 0, 8, 0), "4 KiB and more are read"],
    [
      "too few entries",
      header(headerAt("tableEntries") + 3, 4),
      "4 entries, but a disk of 9,437,184 bytes has 5",
    ],
    [
      "a table that is too large",
      (() => {
        const bytes = both(footerAt("currentSize") + 2, 1);
        bytes.set([0xff, 0xff, 0xff, 0xff, 0, 0, 0x10, 0], headerAt("tableEntries"));
        seal(bytes, HEADER, vhdHeader.span, vhdHeader.offsetOf("checksum"));
        return bytes;
      })(),
      "its table has 1.00 GiB, 64 MiB are read",
    ],
    ["a table beyond the end", header(headerAt("tableOffset"), 1), "its block allocation table should start"],
    [
      "a table across the end",
      header(headerAt("tableOffset") + 5, 0x40, 0x0d, 0xf8),
      "the block allocation table of",
    ],
    ["a block beyond the end", damaged(TABLE + 4, 0, 0, 0x20, 0), "but blocks end at"],
    ["a block across the footer", damaged(TABLE + 16, 0, 0, 0x10, 6), "but blocks end at"],
    ["a block twice", damaged(TABLE + 4, 0, 0, 0x10, 5), "two blocks at byte"],
    ["two blocks that overlap", damaged(TABLE + 16, 0, 0, 0x10, 4), "two blocks at byte"],
    ["a block in the footer", damaged(TABLE + 4, 0, 0, 0, 0), "lies in its footer"],
    ["a block in the header", damaged(TABLE + 4, 0, 0, 0, 2), "lies in its header"],
    ["a block in the table", damaged(TABLE + 4, 0, 0, 0, 3), "lies in its table"],
    ["a file that was cut off", dynamic.slice(0, END - 1), "cut off"],
  ])("refuses %s", async (_, bytes, reason) => {
    await expect(open(bytes)).rejects.toThrow(reason);
  });
});
