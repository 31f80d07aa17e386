import { describe, expect, it } from "vitest";
import { NIL_GUID, u32, u64 } from "../../src/bytes/index.ts";
import { bytesSource } from "../../src/extents/index.ts";
import { openVhdx, planVhdx, vhdxLayout } from "../../src/vhdx/index.ts";
import {
  BAT_REGION,
  fileIdentifier,
  isSealed,
  LOG_SIGNATURE,
  logEntry,
  METADATA_ITEMS,
  METADATA_TABLE_SIZE,
  metadataEntry,
  metadataItems,
  metadataTableHeader,
  PARENT_LOCATOR,
  REGION_TABLE_SIZE,
  regionEntry,
  regionTableHeader,
  seal,
  vhdxHeader,
} from "../../src/vhdx/structures.ts";
import { FACTS, orderedContainer, pattern, type TestDisk } from "../support/containers.ts";

const [MIB, GIB, TIB] = [2 ** 20, 2 ** 30, 2 ** 40];
const disk: TestDisk = {
  size: 5 * MIB,
  parts: [
    { position: MIB, bytes: pattern(10, 1) },
    { position: 4 * MIB, bytes: pattern(10, 2) },
  ],
};
const container = await orderedContainer(() => vhdxLayout(planVhdx({ size: disk.size })), disk);

const HEADERS = [0x10000, 0x20000];
const REGION_TABLES = [0x30000, 0x40000];
const METADATA = 2 * MIB;
const ITEMS = METADATA + METADATA_TABLE_SIZE;
const BAT = 3 * MIB;

describe("a vhdx", () => {
  it("says who made it", () => {
    const { signature, creator } = fileIdentifier.fromBytes(container);
    expect(new TextDecoder().decode(signature)).toBe("vhdxfile");
    expect(new TextDecoder("utf-16le").decode(creator).replace(/\0+$/, "")).toBe("diskwright");
  });

  it("has two headers, of which the second counts, and an empty log", () => {
    const [first, second] = HEADERS.map((at) => vhdxHeader.fromBytes(container, at));
    expect(first).toMatchObject({ version: 1, logVersion: 0, logGuid: NIL_GUID, logLength: MIB });
    expect(first!.fileWriteGuid).toBe(FACTS.identity.uuid("vhdx/file-write"));
    expect(first!.dataWriteGuid).toBe(FACTS.identity.uuid("vhdx/data-write"));
    expect(second!.sequenceNumber).toBeGreaterThan(first!.sequenceNumber);
    for (const at of HEADERS) expect(isSealed(container.subarray(at, at + vhdxHeader.span))).toBe(true);
    expect(container.subarray(MIB, 2 * MIB).every((byte) => byte === 0)).toBe(true);
  });

  it("has two equal region tables with regions that are required", () => {
    const [first, second] = REGION_TABLES.map((at) => container.subarray(at, at + REGION_TABLE_SIZE));
    expect(Buffer.compare(first!, second!)).toBe(0);
    expect(isSealed(first!)).toBe(true);
    expect(regionTableHeader.fromBytes(first!).entryCount).toBe(2);
    const bat = regionEntry.fromBytes(first!, 16);
    expect(bat).toEqual({ id: BAT_REGION, offset: BigInt(BAT), length: MIB, flags: 1 });
  });

  it("has the five items of metadata, each where the table says", () => {
    expect(metadataTableHeader.fromBytes(container, METADATA).entryCount).toBe(5);
    const entries = [0, 1, 2, 3, 4].map((index) =>
      metadataEntry.fromBytes(container, METADATA + 32 * (1 + index)),
    );
    expect(entries.map(({ id }) => id)).toEqual(Object.values(METADATA_ITEMS).map(({ id }) => id));
    expect(entries.map(({ flags }) => flags)).toEqual([4, 6, 6, 6, 6]);
    expect(entries.map(({ length }) => length)).toEqual([8, 8, 16, 4, 4]);
    expect(u64.decode(container, METADATA + entries[1]!.offset)).toBe(BigInt(disk.size));
    expect(metadataItems.fromBytes(container, ITEMS)).toEqual({
      fileParameters: { blockSize: MIB, flags: 0 },
      virtualDiskSize: BigInt(disk.size),
      virtualDiskId: FACTS.identity.uuid("vhdx"),
      logicalSectorSize: 512,
      physicalSectorSize: 4096,
    });
  });

  it("has whole blocks behind the table, in the order of the disk", () => {
    const entries = [0, 1, 2, 3, 4].map((block) => u64.decode(container, BAT + 8 * block));
    expect(entries).toEqual([0n, 0x40_0006n, 0n, 0n, 0x50_0006n]);
    expect(container.length).toBe(6 * MIB);
    expect(container.subarray(5 * MIB, 5 * MIB + 10)).toEqual(disk.parts[1]!.bytes);
  });

  it("without content ends with its table", async () => {
    const layout = (): ReturnType<typeof vhdxLayout> => vhdxLayout(planVhdx({ size: TIB }));
    expect(await orderedContainer(layout, { size: TIB, parts: [] })).toHaveLength(3 * MIB + 9 * MIB);
  });

  it("leaves an entry for the bitmap behind each chunk", () => {
    const plan = planVhdx({ size: 9 * GIB });
    expect(plan).toMatchObject({ blocks: 9 * 1024, chunkRatio: 4096 });
    const layout = vhdxLayout(plan);
    expect([4095, 4096, 9215].map((block) => layout.place(block, block + 1).position)).toEqual([
      4 * MIB,
      5 * MIB,
      6 * MIB,
    ]);
    const bat = new Uint8Array(plan.batLength);
    for (const { position, source } of layout.finish(FACTS).extents) {
      if (position >= plan.batOffset) bat.set(source as Uint8Array, position - plan.batOffset);
    }
    expect(u64.decode(bat, 8 * 4095)).toBe(0x40_0006n);
    expect(u64.decode(bat, 8 * 4096)).toBe(0n);
    expect(u64.decode(bat, 8 * 4097)).toBe(0x50_0006n);
    expect(u64.decode(bat, 8 * (9215 + 2))).toBe(0x60_0006n);
  });

  it.each([
    [512, MIB, MIB],
    [127 * GIB, MIB, MIB],
    [128 * GIB, MIB, 2 * MIB],
    [2 * TIB, MIB, 17 * MIB],
    [2 * TIB + 512, 2 * MIB, 9 * MIB],
    [64 * TIB, 32 * MIB, 17 * MIB],
  ])("of %d bytes has blocks of %d bytes, and a table of %d", (size, blockSize, batLength) => {
    expect(planVhdx({ size })).toMatchObject({ blockSize, batLength });
  });

  it("takes other sizes of blocks", () => {
    expect(planVhdx({ size: 1000 * MIB, blockSize: 256 * MIB })).toMatchObject({ blocks: 4, chunkRatio: 16 });
  });

  it.each([
    [{ size: 0 }, "at least 512 bytes"],
    [{ size: 511 }, "at least 512 bytes"],
    [{ size: 1000 }, "sectors of 512 bytes"],
    [{ size: 64 * TIB + 512 }, "at most 64 TiB"],
    [{ size: GIB, blockSize: MIB / 2 }, "power of two from 1 MiB to 256 MiB"],
    [{ size: GIB, blockSize: 3 * MIB }, "power of two from 1 MiB to 256 MiB"],
    [{ size: GIB, blockSize: 512 * MIB }, "power of two from 1 MiB to 256 MiB"],
    [{ size: GIB, blockSize: Number.NaN }, "power of two from 1 MiB to 256 MiB"],
  ])("of %o is refused", (spec, reason) => {
    expect(() => planVhdx(spec)).toThrow(reason);
  });
});

/** The container with some changes, and checksums that are right. */
function changed(...changes: readonly ((bytes: Uint8Array) => void)[]): Uint8Array {
  const copy = container.slice();
  for (const change of changes) change(copy);
  for (const at of HEADERS) seal(copy.subarray(at, at + vhdxHeader.span));
  for (const at of REGION_TABLES) seal(copy.subarray(at, at + REGION_TABLE_SIZE));
  return copy;
}

/** The container with some bytes changed, whatever checksum is over them. */
function damaged(...offsets: number[]): Uint8Array {
  const copy = container.slice();
  for (const offset of offsets) copy[offset]! ^= 0xff;
  return copy;
}

/** Changes both headers. */
const header =
  (fields: Partial<ReturnType<typeof vhdxHeader.fromBytes>>) =>
  (bytes: Uint8Array): void => {
    for (const at of HEADERS) {
      bytes.set(vhdxHeader.toBytes({ ...vhdxHeader.fromBytes(bytes, at), ...fields }), at);
    }
  };

/** Changes an entry of both region tables; those that are new count. */
const region =
  (index: number, fields: Partial<ReturnType<typeof regionEntry.fromBytes>>) =>
  (bytes: Uint8Array): void => {
    for (const table of REGION_TABLES) {
      const at = table + 16 + 32 * index;
      bytes.set(regionEntry.toBytes({ ...regionEntry.fromBytes(bytes, at), ...fields }), at);
      u32.encode(Math.max(2, index + 1), bytes, table + 8, "entryCount");
    }
  };

/** Changes an entry of metadata; those that are new count. */
const entry =
  (index: number, fields: Partial<ReturnType<typeof metadataEntry.fromBytes>>) =>
  (bytes: Uint8Array): void => {
    const at = METADATA + 32 * (1 + index);
    bytes.set(metadataEntry.toBytes({ ...metadataEntry.fromBytes(bytes, at), ...fields }), at);
    bytes[METADATA + 10] = Math.max(5, index + 1);
  };

const items =
  (fields: Partial<ReturnType<typeof metadataItems.fromBytes>>) =>
  (bytes: Uint8Array): void =>
    bytes.set(metadataItems.toBytes({ ...metadataItems.fromBytes(bytes, ITEMS), ...fields }), ITEMS);

/** Changes the entry of a block in the table. */
const block =
  (index: number, value: bigint) =>
  (bytes: Uint8Array): void =>
    u64.encode(value, bytes, BAT + 8 * index, "entry");

const STRANGE = "01234567-89ab-cdef-0123-456789abcdef";

describe("the reader of vhdx", () => {
  it("knows what is none", async () => {
    expect(await openVhdx(bytesSource(new Uint8Array(4096)))).toBeUndefined();
    expect(await openVhdx(bytesSource(new Uint8Array(7)))).toBeUndefined();
  });

  it("tells what it is", async () => {
    const opened = await openVhdx(bytesSource(container));
    expect(opened).toMatchObject({ format: "vhdx", size: disk.size, problems: [] });
    expect(opened!.details).toEqual({
      variant: "dynamic",
      blockSize: MIB,
      blocksAllocated: 2,
      logicalSectorSize: 512,
      physicalSectorSize: 4096,
      uuid: FACTS.identity.uuid("vhdx"),
    });
  });

  it.each([
    ["a file that was cut off in its headers", container.slice(0, 0x20000), "header 2 of the vhdx file"],
    ["a file that was cut off in its log", container.slice(0, 0x140000), "its log should lie"],
    [
      "a file that was cut off in its region tables",
      changed(header({ logOffset: 0n, logLength: 0 })).slice(0, 0x40000),
      "region table 2 of the vhdx file",
    ],
    ["a file that was cut off in its blocks", container.slice(0, -MIB), "block 4 of the disk should lie"],
    ["two damaged headers", damaged(0x10050, 0x20050), "neither of its headers"],
    ["two headers with no signature", changed(...HEADERS.map(clear)), "neither of its headers"],
    [
      "two headers with one number",
      changed(header({ sequenceNumber: 7n }), flip(0x20010)),
      "have the number 7",
    ],
    ["another version", changed(header({ version: 2 })), "version 2"],
    ["a log within 1 MiB", changed(header({ logOffset: 0x100200n })), "not in multiples of 1 MiB"],
    [
      "a log in the headers",
      changed(header({ logOffset: 0n })),
      "its log lies at byte 0, where something else",
    ],
    ["two damaged region tables", damaged(0x30020, 0x40020), "neither of its region tables"],
    ["too many regions", changed(...REGION_TABLES.map((at) => flip(at + 9))), "regions, 2047 are possible"],
    [
      "an unknown region",
      changed(region(2, { id: STRANGE, flags: 1 })),
      "cannot be understood without its region",
    ],
    ["a region twice", changed(region(2, { id: BAT_REGION, offset: 5n << 20n, length: MIB })), "two regions"],
    ["no table", changed(region(0, { id: STRANGE, flags: 0 })), "no region for the block allocation table"],
    ["no metadata", changed(region(1, { id: STRANGE, flags: 0 })), "no region for metadata"],
    ["regions that overlap", changed(region(0, { offset: 2n << 20n })), "where something else lies"],
    ["a region in the log", changed(region(0, { offset: 1n << 20n })), "where something else lies"],
    ["a region within 1 MiB", changed(region(0, { offset: 0x300001n })), "not in multiples of 1 MiB"],
    ["a region of half a MiB", changed(region(0, { length: MIB / 2 })), "not in multiples of 1 MiB"],
    ["a region beyond the end", changed(region(0, { offset: 1n << 40n })), "it was cut off"],
    [
      "a region beyond all numbers",
      changed(region(0, { offset: (1n << 64n) - (1n << 20n) })),
      "it was cut off",
    ],
    ["a region that is too long", changed(region(0, { length: 4095 * MIB })), "it was cut off"],
    ["metadata of no bytes", changed(region(1, { length: 0 })), "its metadata has 0 bytes"],
    ["metadata without signature", changed(flip(METADATA)), "does not start with its signature"],
    ["too much metadata", changed(flip(METADATA + 11)), "items, 2047 are possible"],
    ["an unknown item", changed(entry(5, { id: STRANGE, flags: 4 })), "without item 01234567"],
    ["an item of a user that is required", changed(entry(1, { flags: 5 })), "without item 2fa54224"],
    [
      "an item twice",
      changed(entry(2, { id: METADATA_ITEMS.fileParameters.id })),
      "caa16737-fa36-4d43-b3b6-33f0aa44e76b twice",
    ],
    ["no size of the disk", changed(entry(1, { id: STRANGE, flags: 0 })), "has no virtualDiskSize"],
    ["an item of another length", changed(entry(1, { length: 4 })), "4 bytes in place of 8"],
    ["an item in the table", changed(entry(0, { offset: 32 })), "fileParameters lies at byte 32"],
    [
      "an item beyond metadata",
      changed(entry(0, { offset: MIB - 4 })),
      "fileParameters lies at byte 1048572",
    ],
    ["a difference", changed(items({ fileParameters: { blockSize: MIB, flags: 2 } })), "it is a difference"],
    ["a difference by its parent", changed(entry(5, { id: PARENT_LOCATOR, flags: 4 })), "it is a difference"],
    ["small blocks", changed(items({ fileParameters: { blockSize: 0, flags: 0 } })), "blocks have 0 bytes"],
    ["odd blocks", changed(items({ fileParameters: { blockSize: 3 * MIB, flags: 0 } })), "power of two"],
    ["odd sectors", changed(items({ logicalSectorSize: 1024 })), "sectors have 1,024 bytes"],
    [
      "a size within a sector",
      changed(items({ virtualDiskSize: 513n })),
      "no multiple of its sectors of 512",
    ],
    [
      "a size within a sector of 4 KiB",
      changed(items({ virtualDiskSize: 512n, logicalSectorSize: 4096 })),
      "of 4096",
    ],
    ["a disk that is too large", changed(items({ virtualDiskSize: 2n ** 46n + 512n })), "at most 64 TiB"],
    [
      "a table that is too short",
      changed(items({ virtualDiskSize: 2n ** 40n })),
      "1048576 blocks take 8390648",
    ],
    ["a block partially present", changed(block(1, 7n)), "block 1 of the disk is partially present"],
    ["a state that does not exist", changed(block(1, 5n)), "block 1 of the disk has state 5"],
    [
      "bits that are reserved",
      changed(block(1, 0x40_0406n)),
      "block 1 of the disk has bits that are reserved",
    ],
    [
      "a block beyond the end",
      changed(block(1, 0x60_0006n)),
      "block 1 of the disk should lie at bytes 6291456",
    ],
    ["a block beyond all numbers", changed(block(1, 2n ** 64n - 2n ** 20n + 6n)), "it was cut off"],
    ["a block twice", changed(block(1, 0x50_0006n)), "block 4 of the disk lies at byte 5242880"],
    ["a block in the headers", changed(block(1, 6n)), "block 1 of the disk lies at byte 0"],
    ["a block in the table", changed(block(1, 0x30_0006n)), "where something else lies"],
  ])("refuses %s", async (_, bytes, reason) => {
    await expect(openVhdx(bytesSource(bytes))).rejects.toThrow(reason);
  });

  it("refuses a log that has to be replayed, with what to do", async () => {
    const bytes = changed(header({ logGuid: STRANGE }), entryOfLog(STRANGE));
    await expect(openVhdx(bytesSource(bytes))).rejects.toMatchObject({
      code: "UNSUPPORTED_IMAGE",
      message: expect.stringContaining("qemu-img check -r all") as string,
    });
  });

  it("passes over entries of the log that were replayed", async () => {
    const other = STRANGE.replace("0", "f");
    for (const logGuid of [STRANGE, NIL_GUID]) {
      const bytes = changed(header({ logGuid }), entryOfLog(other));
      expect(await openVhdx(bytesSource(bytes))).toMatchObject({ size: disk.size, problems: [] });
    }
  });

  it.each([
    ["header 1", damaged(0x10050), "header 1 of the vhdx file is damaged; header 2 is used"],
    ["header 2", damaged(0x20050), "header 2 of the vhdx file is damaged; header 1 is used"],
    [
      "region table 1",
      damaged(0x30020),
      "region table 1 of the vhdx file is damaged; region table 2 is used",
    ],
    [
      "region table 2",
      damaged(0x40020),
      "region table 2 of the vhdx file is damaged; region table 1 is used",
    ],
    [
      "a region table of its own",
      changed(flip(0x40020)),
      "the region tables of the vhdx file differ; the first one is used",
    ],
  ])("reads what has a damaged %s, and tells of it", async (_, bytes, problem) => {
    const opened = await openVhdx(bytesSource(bytes));
    expect(opened!.problems).toEqual([problem]);
    expect(await opened!.read(MIB, 10)).toEqual(disk.parts[0]!.bytes);
  });

  it("uses the header with the greater number", async () => {
    const first = changed((bytes) => {
      vhdxHeader.encode({ ...vhdxHeader.fromBytes(bytes, 0x10000), sequenceNumber: 3n }, bytes, 0x10000, "");
      vhdxHeader.encode({ ...vhdxHeader.fromBytes(bytes, 0x20000), logGuid: STRANGE }, bytes, 0x20000, "");
      entryOfLog(STRANGE)(bytes);
    });
    expect((await openVhdx(bytesSource(first)))!.problems).toEqual([]);
  });

  it("takes the same header twice, as Disk2vhd writes it", async () => {
    const bytes = changed((copy) => copy.copyWithin(0x20000, 0x10000, 0x11000));
    expect((await openVhdx(bytesSource(bytes)))!.problems).toEqual([]);
  });

  it("passes over what it need not know", async () => {
    const bytes = changed(
      region(2, { id: STRANGE, flags: 0, offset: 0n, length: 0 }),
      entry(5, { id: STRANGE, flags: 0 }),
      entry(6, { id: METADATA_ITEMS.virtualDiskSize.id, flags: 1 }),
    );
    expect(await openVhdx(bytesSource(bytes))).toMatchObject({ size: disk.size, problems: [] });
  });

  it.each([0n, 1n, 2n, 3n, 0x50_0003n])("reads blocks with entry %d as zeros", async (value) => {
    const opened = await openVhdx(bytesSource(changed(block(1, value))));
    expect(opened!.details.blocksAllocated).toBe(1);
    expect(await opened!.read(MIB, 10)).toEqual(new Uint8Array(10));
  });

  it("tells a fixed disk", async () => {
    const bytes = changed(items({ fileParameters: { blockSize: MIB, flags: 1 } }));
    expect((await openVhdx(bytesSource(bytes)))!.details.variant).toBe("fixed");
  });

  it("reads a file that ends with its disk, and not with its last block", async () => {
    const bytes = changed(items({ virtualDiskSize: BigInt(4 * MIB + 512) })).slice(0, 5 * MIB + 512);
    const opened = await openVhdx(bytesSource(bytes));
    expect((await opened!.read(4 * MIB, 512)).subarray(0, 10)).toEqual(disk.parts[1]!.bytes);
  });

  it("reads sectors of 4 KiB, whose chunks are eight times as large", async () => {
    // Of the last block, the first of the second chunk, only the first 1 MiB is there.
    const sectors = { logical: 4096, physical: 4096 } as const;
    const plan = planVhdx({ size: 32 * GIB + MIB, blockSize: 256 * MIB, sectors });
    const empty = await orderedContainer(() => vhdxLayout(plan), { size: plan.size, parts: [] });
    const bytes = new Uint8Array(plan.dataOffset + MIB);
    bytes.set(empty);
    expect(metadataItems.fromBytes(bytes, ITEMS)).toMatchObject({ logicalSectorSize: 4096 });
    block(128, 6n)(bytes); // of the bitmap, which is not looked at
    block(129, 0x40_0006n)(bytes);
    bytes.set(pattern(MIB, 1), plan.dataOffset);
    const opened = (await openVhdx(bytesSource(bytes)))!;
    expect(opened.details).toMatchObject({ logicalSectorSize: 4096, blocksAllocated: 1 });
    expect(await opened.read(32 * GIB - 512, 512)).toEqual(new Uint8Array(512));
    expect(Buffer.compare(await opened.read(32 * GIB, MIB), pattern(MIB, 1))).toBe(0);
  });
});

/** Puts an entry into the last sector of the log. */
function entryOfLog(logGuid: string): (bytes: Uint8Array) => void {
  const fields = { checksum: 0, entryLength: 4096, tail: 0, sequenceNumber: 1n, descriptorCount: 0 };
  return (bytes) => {
    logEntry.encode({ ...fields, signature: LOG_SIGNATURE, logGuid }, bytes, 2 * MIB - 4096, "entry");
  };
}

/** Changes one byte. */
function flip(offset: number): (bytes: Uint8Array) => void {
  return (bytes) => {
    bytes[offset]! ^= 0xff;
  };
}

function clear(offset: number): (bytes: Uint8Array) => void {
  return (bytes) => void bytes.fill(0, offset, offset + 4);
}
