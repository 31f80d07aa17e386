import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import type { ContainerFacts } from "../../src/container/index.ts";
import { bytesSource, memoryTarget, sequentialTarget, sweep, type Target } from "../../src/extents/index.ts";
import { descriptorText } from "../../src/vmdk/descriptor.ts";
import { openVmdk, planVmdk, vmdkLayout } from "../../src/vmdk/index.ts";
import { checkFileEnd } from "../../src/vmdk/plan.ts";
import { adler32, storedZlib } from "../../src/vmdk/stored.ts";
import {
  DIRECTORY_AT_END,
  type GrainMarker,
  grainMarker,
  type VmdkHeader,
  type VmdkMarker,
  vmdkHeader,
  vmdkMarker,
} from "../../src/vmdk/structures.ts";
import {
  expectHolds,
  FACTS,
  orderedContainer,
  pattern,
  rawBytes,
  type TestDisk,
} from "../support/containers.ts";
import { inflate, noise, open, streamContainer } from "../support/vmdk.ts";

const SECTOR = 512;
const GRAIN = 65_536;
const MIB = 2 ** 20;

/** Three tables, of which the second has nothing; the last grain is not a whole one. */
const disk: TestDisk = {
  size: 70 * MIB + SECTOR,
  parts: [
    { position: GRAIN, bytes: pattern(2 * GRAIN, 1) },
    { position: 4 * GRAIN, bytes: noise(GRAIN) },
    { position: 70 * MIB, bytes: pattern(SECTOR, 2) },
  ],
};
const plan = planVmdk({ size: disk.size });
const sparse = await orderedContainer(() => vmdkLayout(plan), disk);
const stream = await streamContainer(disk);

const at = (name: string): number => vmdkHeader.offsetOf(name);

/** A container with some bytes changed. */
function damaged(container: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  const copy = container.slice();
  copy.set(bytes, offset);
  return copy;
}

/** A container with some fields of its header, or of its footer, changed. */
function withHeader(container: Uint8Array, changes: Partial<VmdkHeader>, position = 0): Uint8Array {
  const copy = container.slice();
  copy.set(vmdkHeader.toBytes({ ...vmdkHeader.fromBytes(container, position), ...changes }), position);
  return copy;
}

const descriptorOf = (container: Uint8Array): string =>
  new TextDecoder().decode(container.subarray(SECTOR, 21 * SECTOR)).replace(/\0.*$/s, "");

/** A container whose descriptor has something else in the place of `from`. */
function withDescriptor(container: Uint8Array, from: string, to: string): Uint8Array {
  const text = descriptorOf(container);
  expect(text).toContain(from);
  const copy = container.slice();
  copy.fill(0, SECTOR, 21 * SECTOR);
  copy.set(utf8(text.replace(from, to)), SECTOR);
  return copy;
}

function withWord(container: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = container.slice();
  new DataView(copy.buffer).setUint32(offset, value, true);
  return copy;
}

const wordAt = (container: Uint8Array, offset: number): number =>
  new DataView(container.buffer, container.byteOffset).getUint32(offset, true);

describe("a monolithicSparse vmdk", () => {
  it("has a header as VMware asks for it", () => {
    const header = vmdkHeader.fromBytes(sparse);
    expect(vmdkHeader.span).toBe(SECTOR);
    expect(new TextDecoder().decode(sparse.subarray(0, 4))).toBe("KDMV");
    expect(header).toMatchObject({
      version: 1,
      flags: 3,
      capacity: BigInt(disk.size / SECTOR),
      grainSize: 128n,
      descriptorOffset: 1n,
      descriptorSize: 20n,
      tableEntries: 512,
      redundantDirectoryOffset: 21n,
      directoryOffset: 34n,
      overhead: 128n,
      uncleanShutdown: 0,
      newlines: Uint8Array.of(0x0a, 0x20, 0x0d, 0x0a),
      compression: 0,
    });
    expect(sparse.subarray(at("newlines"), at("newlines") + 4)).toEqual(
      Uint8Array.of(0x0a, 0x20, 0x0d, 0x0a),
    );
    expect(at("compression")).toBe(77);
  });

  it("has both directories complete, and every table at its place", () => {
    const words = (sector: number, count: number) =>
      Array.from({ length: count }, (_, index) => wordAt(sparse, sector * SECTOR + 4 * index));
    expect(words(21, 4)).toEqual([22, 26, 30, 0]);
    expect(words(34, 4)).toEqual([35, 39, 43, 0]);
    for (const tables of [22, 35]) {
      expect(words(tables, 6)).toEqual([0, 128, 256, 0, 384, 0]);
      expect(words(tables + 4, 512)).toEqual(new Array(512).fill(0));
      // 64 MiB are two tables; grain 96 behind them is the last.
      expect(words(tables + 8, 512).flatMap((word, index) => (word > 0 ? [[index, word]] : []))).toEqual([
        [96, 512],
      ]);
    }
    expect(sparse.length).toBe((512 + 128) * SECTOR);
  });

  it("emits no table that tells of nothing", () => {
    const layout = vmdkLayout(planVmdk({ size: 3 * 2 ** 40 }));
    layout.place(0, 1);
    layout.place(2 ** 25, 2 ** 25 + 1);
    const { size, extents } = layout.finish(FACTS);
    const all = [...extents];
    const ends = all.map(({ position, length }) => position + length);
    expect(all.every(({ position }, index) => index === 0 || position >= ends[index - 1]!)).toBe(true);
    expect(all.filter(({ length }) => length === 2048).length).toBe(4);
    expect(all.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(2 * 4 * 98_304 + 16_384);
    expect(size).toBe(planVmdk({ size: 3 * 2 ** 40 }).dataOffset + 2 * GRAIN);
  });

  it("refuses more than 32 bits of sectors tell of", () => {
    const layout = vmdkLayout({ ...plan, dataOffset: 2 ** 41 - GRAIN });
    expect(layout.place(0, 1)).toEqual({ position: 2 ** 41 - GRAIN, end: 1 });
    expect(() => layout.place(1, 2)).toThrow(/more than 2 TiB.*qcow2/);
    expect(() => checkFileEnd(2 ** 41)).not.toThrow();
  });

  it.each([
    [0, "at least 512 bytes"],
    [511, "at least 512 bytes"],
    [1000, "sectors of 512 bytes"],
    [62 * 2 ** 40 + SECTOR, "at most 62 TiB"],
  ])("of %d bytes is refused", (size, reason) => {
    expect(() => planVmdk({ size })).toThrow(reason);
  });

  it("takes only a uuid that is one", () => {
    expect(() => planVmdk({ size: SECTOR, uuid: "disk" })).toThrow("not a GUID");
  });
});

describe("the descriptor", () => {
  it("is as VMware, VirtualBox and qemu read it", () => {
    const lines = descriptorOf(sparse).split("\n");
    expect(lines[0]).toBe("# Disk DescriptorFile");
    expect(lines).toEqual(lines.map((line) => line.trim()));
    const [contentId] = descriptorOf(sparse).match(/(?<=^CID=)[0-9a-f]{8}$/m)!;
    expect(lines).toContain("version=1");
    expect(lines).toContain("parentCID=ffffffff");
    expect(lines).toContain('createType="monolithicSparse"');
    expect(lines).toContain(`RW ${disk.size / SECTOR} SPARSE "disk.vmdk"`);
    expect(lines).toContain('ddb.adapterType = "lsilogic"');
    expect(lines).toContain('ddb.geometry.cylinders = "9"');
    expect(lines).toContain('ddb.toolsVersion = "2147483647"');
    expect(lines).toContain('ddb.virtualHWVersion = "4"');
    expect(lines).toContain(`ddb.uuid.image="${FACTS.identity.uuid("vmdk")}"`);
    expect(descriptorOf(sparse)).toMatch(new RegExp(`^ddb.longContentID = "[0-9a-f]{24}${contentId}"$`, "m"));
    expect(descriptorOf(stream)).toBe(descriptorOf(sparse).replace("monolithicSparse", "streamOptimized"));
  });

  it("takes a uuid of its own", () => {
    const uuid = "01234567-89AB-cdef-0123-456789abcdef";
    const text = descriptorText(planVmdk({ size: SECTOR, uuid }), "monolithicSparse", FACTS);
    expect(text).toContain(`ddb.uuid.image="${uuid.toLowerCase()}"`);
  });

  it.each([
    [0xffff_ffff, "fffffffd"],
    [0xffff_fffe, "fffffffc"],
    [1, "00000001"],
  ])("has no content identifier that means something: %d", (serial, id) => {
    const facts: ContainerFacts = { ...FACTS, identity: { ...FACTS.identity, serial: () => serial } };
    expect(descriptorText(plan, "streamOptimized", facts)).toContain(`\nCID=${id}\n`);
  });

  it("tells no more cylinders than there can be", () => {
    const text = descriptorText(planVmdk({ size: 2 ** 42 }), "monolithicSparse", FACTS);
    expect(text).toContain('ddb.geometry.cylinders = "65535"');
  });
});

/** What lies in a stream from its first grain on, marker by marker. */
function walk(container: Uint8Array): { position: number; grain?: GrainMarker; marker?: VmdkMarker }[] {
  const found = [];
  for (let position = 128 * SECTOR; position < container.length; ) {
    const grain = grainMarker.fromBytes(container, position);
    if (grain.length > 0) {
      found.push({ position, grain });
      position += Math.ceil((grainMarker.span + grain.length) / SECTOR) * SECTOR;
    } else {
      const marker = vmdkMarker.fromBytes(container, position);
      found.push({ position, marker });
      position += SECTOR * (1 + Number(marker.sectors));
    }
  }
  return found;
}

describe("a streamOptimized vmdk", () => {
  it("has a header as VMware asks for it", () => {
    expect(vmdkHeader.fromBytes(stream)).toMatchObject({
      version: 3,
      flags: 0x30001,
      capacity: BigInt(disk.size / SECTOR),
      tableEntries: 512,
      redundantDirectoryOffset: 0n,
      directoryOffset: DIRECTORY_AT_END,
      overhead: 128n,
      compression: 1,
    });
  });

  it("has grains, tables behind them, directory, footer and end", () => {
    const found = walk(stream);
    expect(
      found.map(({ grain, marker }) =>
        grain ? `grain ${grain.sector}` : `${marker!.type}:${marker!.sectors}`,
      ),
    ).toEqual([
      "grain 128",
      "grain 256",
      "grain 512",
      "1:4",
      `grain ${70 * 2048}`,
      "1:4",
      "2:1",
      "3:1",
      "0:0",
    ]);
    const position = (index: number): number => found[index]!.position;
    expect(position(8)).toBe(stream.length - SECTOR);
    const footer = vmdkHeader.fromBytes(stream, position(7) + SECTOR);
    expect(footer).toEqual({
      ...vmdkHeader.fromBytes(stream),
      directoryOffset: BigInt(position(6) / SECTOR + 1),
    });
    const directory = position(6) + SECTOR;
    expect([0, 1, 2].map((table) => wordAt(stream, directory + 4 * table))).toEqual([
      position(3) / SECTOR + 1,
      0,
      position(5) / SECTOR + 1,
    ]);
    expect(wordAt(stream, position(3) + SECTOR + 4 * 2)).toBe(position(1) / SECTOR);
    const raw = rawBytes({ ...disk, size: 70 * MIB + GRAIN });
    for (const { position: start, grain } of found) {
      if (grain === undefined) continue;
      const data = stream.subarray(start + grainMarker.span, start + grainMarker.span + grain.length);
      const from = Number(grain.sector) * SECTOR;
      expect(Buffer.compare(inflateSync(data), raw.subarray(from, from + GRAIN))).toBe(0);
    }
  });

  it("stores what does not compress", async () => {
    const [, , , ...rest] = walk(stream);
    const grain = walk(stream)[2]!;
    expect(grain.grain!.length).toBe(storedZlib(noise(GRAIN)).length);
    expect(rest.length).toBe(6);
    await expectHolds(stream, open, disk);
  });

  it("is the same, whatever takes it and whenever the facts are known", async () => {
    const chunks: Uint8Array[] = [];
    const pipe: Target & { bytes: Uint8Array } = {
      ...sequentialTarget((bytes) => void chunks.push(bytes.slice())),
      get bytes() {
        return new Uint8Array(Buffer.concat(chunks));
      },
    };
    expect(Buffer.compare(await streamContainer(disk, pipe), stream)).toBe(0);
    expect(Buffer.compare(await streamContainer(disk, memoryTarget(), false), stream)).toBe(0);
  });

  it("of an empty disk has a directory of nothing", async () => {
    const empty = { size: 70 * MIB, parts: [] };
    const bytes = await streamContainer(empty);
    expect(walk(bytes).map(({ marker }) => marker?.type)).toEqual([2, 3, 0]);
    await expectHolds(bytes, open, empty);
  });
});

describe("zlib data that is stored", () => {
  it.each([0, 1, 65_535, 65_536, 131_070, 200_000])("holds %d bytes", (length) => {
    const bytes = noise(length);
    const stored = storedZlib(bytes);
    expect(stored.subarray(0, 2)).toEqual(Uint8Array.of(0x78, 0x01));
    expect(Buffer.compare(inflateSync(stored), bytes)).toBe(0);
    expect(stored.length).toBe(6 + length + 5 * Math.max(1, Math.ceil(length / 65_535)));
  });

  it("has the checksum of RFC 1950", () => {
    expect(adler32(utf8("Wikipedia"))).toBe(0x11e60398);
    expect(adler32(new Uint8Array(1_000_000).fill(0xff)).toString(16)).toBe(
      Buffer.from(deflateSync(new Uint8Array(1_000_000).fill(0xff)).subarray(-4)).toString("hex"),
    );
  });
});

/** Opens a file and reads all of it. */
async function readAll(bytes: Uint8Array): Promise<void> {
  const opened = (await open(bytesSource(bytes)))!;
  for await (const extents of opened.stored()) await sweep(extents, () => {});
}

describe("the reader of vmdk", () => {
  it("knows what is none", async () => {
    for (const length of [0, 3, 10, 4096]) {
      expect(await open(bytesSource(new Uint8Array(length)))).toBeUndefined();
    }
  });

  it("tells what it is", async () => {
    const contentId = FACTS.identity.serial("vmdk/content").toString(16).padStart(8, "0");
    expect(await open(bytesSource(sparse))).toMatchObject({
      format: "vmdk",
      size: disk.size,
      problems: [],
      details: { variant: "monolithicSparse", version: 1, grainSize: GRAIN, contentId },
    });
    expect(await open(bytesSource(stream))).toMatchObject({
      problems: [],
      details: { variant: "streamOptimized", version: 3, contentId },
    });
  });

  const table = plan.tablesOffset;
  const footer = stream.length - 2 * SECTOR;
  const firstGrain = 128 * SECTOR;
  const noFooter = stream.slice(0, stream.length - 3 * SECTOR);

  it.each([
    ["a header that ends", sparse.slice(0, 100), "ends within its header"],
    ["grains of 0 sectors", withHeader(sparse, { grainSize: 0n }), "a grain has 0 sectors"],
    ["grains of 100 sectors", withHeader(sparse, { grainSize: 100n }), "no power of two"],
    ["small grains", withHeader(sparse, { grainSize: 4n }), "a grain has 4 sectors"],
    ["large grains", withHeader(sparse, { grainSize: 16_384n }), "a grain has 16384 sectors"],
    ["tables of nothing", withHeader(sparse, { tableEntries: 0 }), "has 0 entries"],
    ["large tables", withHeader(sparse, { tableEntries: 513 }), "has 513 entries"],
    ["a disk of nothing", withHeader(sparse, { capacity: 0n }), "disk has 0 sectors"],
    ["a disk of 2^63 sectors", withHeader(sparse, { capacity: 1n << 63n }), "larger than any"],
    ["a disk that grew", withHeader(sparse, { capacity: 1n << 40n }), "grain directory should end at byte"],
    ["no directory", withHeader(sparse, { directoryOffset: 0n }), "grain directory lies in its header"],
    ["a directory beyond the end", withHeader(sparse, { directoryOffset: 641n }), "file ends at 327680"],
    ["a directory far away", withHeader(sparse, { directoryOffset: 1n << 60n }), "it was cut off"],
    ["metadata beyond the end", withHeader(sparse, { overhead: 641n }), "metadata should end"],
    ["a descriptor beyond the end", withHeader(sparse, { descriptorOffset: 640n }), "descriptor should end"],
    ["a large descriptor", withHeader(sparse, { descriptorSize: 4096n }), "descriptor has 4096 sectors"],
    ["text mode", damaged(sparse, at("newlines"), 0x0d, 0x0a), "transferred as text"],
    ["compressed or not", withHeader(sparse, { compression: 1 }), "contradict each other"],
    ["markers of nothing", withHeader(sparse, { flags: 0x20003 }), "has markers of grains"],
    ["no text", damaged(sparse, SECTOR + 9, 0), "descriptor does not tell"],
    ["no type", withDescriptor(sparse, "createType", "created"), "descriptor does not tell"],
    ["no extent", withDescriptor(sparse, "RW ", "RO "), "descriptor does not tell"],
    [
      "a table beyond the end",
      withWord(sparse, plan.directoryOffset, 637),
      "grain table 0 lies at byte 326144",
    ],
    [
      "two tables at a place",
      withWord(sparse, plan.directoryOffset + 4, 35),
      "grain table 1 lies at byte 17920",
    ],
    ["a grain in the metadata", withWord(sparse, table + 4, 127), "grain 1 of the disk lies at byte 65024"],
    ["a grain in the header", withWord(sparse, table, 1), "grain 0 of the disk lies at byte 512"],
    ["a grain beyond the end", withWord(sparse, table + 4, 641), "ends at 327680"],
    ["two grains at a place", withWord(sparse, table, 256), "two parts of the disk"],
    ["a file that was cut off", sparse.slice(0, sparse.length - 128 * SECTOR), "cut off"],
    ["no footer", noFooter, "footer at its end, but there is none"],
    ["nothing but a header", noFooter.slice(0, SECTOR), "footer at its end, but there is none"],
    ["half a sector", stream.slice(0, -100), "footer at its end, but there is none"],
    ["another footer", withHeader(stream, { capacity: 128n }, footer), "capacity is 143361 and 128"],
    ["another compression", withHeader(stream, { compression: 2 }), "contradict each other: compression"],
    [
      "a footer like the header",
      withHeader(stream, { directoryOffset: DIRECTORY_AT_END }, footer),
      "does not tell",
    ],
    ["another grain", damaged(stream, firstGrain, 0, 1), "sector 128, but there is that of 256"],
    [
      "a marker of more than there is",
      withWord(stream, walk(stream)[4]!.position + 8, 130_000),
      "should lie at",
    ],
    ["a marker of too much", withWord(stream, firstGrain + 8, 200_000), "200,000 bytes of data"],
    ["a marker of nothing", withWord(stream, firstGrain + 8, 0), "0 bytes of data"],
    ["data that is none", damaged(stream, firstGrain + 12, 0xff), "cannot be unpacked: "],
    ["a wrong checksum", damaged(stream, walk(stream)[2]!.position + 2000, 7), "cannot be unpacked: "],
    [
      "a grain of the stream beyond the end",
      withWord(stream, walk(stream)[3]!.position + SECTOR, 2 ** 31),
      "grain 0 of the vmdk file",
    ],
  ])("refuses %s", async (_, bytes, reason) => {
    const reading = readAll(bytes);
    await expect(reading).rejects.toThrow(reason);
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
  });

  const inDescriptor = (from: string, to: string): Uint8Array => withDescriptor(sparse, from, to);
  const extent = `RW ${disk.size / SECTOR} SPARSE "disk.vmdk"`;
  const alone = (text: string): Uint8Array => utf8(`# Disk DescriptorFile\nversion=1\n${text}\n`);

  it.each([
    ["version 4", withHeader(sparse, { version: 4 }), "version 4; 1 to 3 are read"],
    ["version 0", withHeader(sparse, { version: 0 }), "version 0; 1 to 3 are read"],
    ["an unknown flag", withHeader(sparse, { flags: 0x80000003 }), "not known: 0x80000000"],
    ["a compression without markers", withHeader(sparse, { flags: 0x10003, compression: 1 }), "no markers"],
    ["an unknown compression", withHeader(sparse, { compression: 2 }), "a way of number 2"],
    ["one of several files", withHeader(sparse, { descriptorSize: 0n }), "one of several files"],
    ["another one of several files", damaged(sparse, SECTOR, 0), "one of several files"],
    ["a difference", inDescriptor("parentCID=ffffffff", "parentCID=12345678"), "difference to another disk"],
    [
      "a named difference",
      inDescriptor("parentCID=ffffffff", 'parentCID=1\nparentFileNameHint="a\u0007.vmdk"'),
      'difference to "a\\x07.vmdk"',
    ],
    [
      "several extents",
      inDescriptor(extent, `${extent}\nRW 63 FLAT "b" 0`),
      'in 2 files, the first of which is "disk.vmdk"',
    ],
    ["a flat extent", inDescriptor(extent, 'RW 5 FLAT "disk-flat.vmdk" 0'), 'flat in "disk-flat.vmdk"'],
    ["an extent of zeros", inDescriptor(extent, "RW 5 ZERO"), "type ZERO"],
    ["an absolute path", inDescriptor("disk.vmdk", "/etc/passwd"), '"/etc/passwd", outside'],
    ["a path of Windows", inDescriptor("disk.vmdk", "C:\\disk.vmdk"), '"C:\\disk.vmdk", outside'],
    ["a path that climbs", inDescriptor("disk.vmdk", "a/../../b"), '"a/../../b", outside'],
    ["another type", inDescriptor("monolithicSparse", "custom"), 'type "custom"'],
    ["a long type", inDescriptor("monolithicSparse", "x".repeat(300)), `"${"x".repeat(200)}…"`],
    [
      "a descriptor alone",
      alone('createType="monolithicFlat"\nRW 8 FLAT "d-flat.vmdk" 0'),
      'only the descriptor of a disk of the type "monolithicFlat": its disk lies flat in "d-flat.vmdk"',
    ],
    [
      "a device",
      alone('createType="fullDevice"\nRW 8 FLAT "/dev/sda" 0'),
      '"fullDevice": its disk lies in "/dev/sda", outside',
    ],
    [
      "a split disk",
      alone('createType="twoGbMaxExtentSparse"\nRW 8 SPARSE "a"\r\nRW 8 SPARSE "b"'),
      "2 files",
    ],
    ["a descriptor of one file", alone('createType="vmfsSparse"\nRW 8 SPARSE "a.vmdk"'), 'lies in "a.vmdk"'],
    ["a vmfsSparse one", utf8(`COWD${"\0".repeat(600)}`), "vmfsSparse"],
    ["a seSparse one", new Uint8Array([0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0, 1, 0, 0, 0]), "seSparse"],
  ])("does not read %s", async (_, bytes, reason) => {
    const reading = readAll(bytes);
    await expect(reading).rejects.toThrow(reason);
    await expect(reading).rejects.toMatchObject({ code: "UNSUPPORTED_IMAGE" });
  });

  it("refuses a descriptor of nothing", async () => {
    await expect(readAll(alone("createType=vmfs"))).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("reads long and odd descriptors in time that grows with them", async () => {
    const line = `a=${" ".repeat(300_000)}"${'"x'.repeat(100_000)}`;
    const path = `RW 8 SPARSE "${"../".repeat(50_000).replace(/\.\.\/$/, "")}..a"`;
    const started = performance.now();
    await expect(
      readAll(alone(`${line}\n${" \t".repeat(100_000)}\nRW ${"9".repeat(100_000)} A\n${path}`)),
    ).rejects.toThrow("outside of its directory");
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each([
    ["that was not closed", withHeader(sparse, { uncleanShutdown: 1 }), /not closed/],
    [
      "of another type",
      withDescriptor(sparse, "monolithicSparse", "streamOptimized"),
      /says streamOptimized, its header mono/,
    ],
    [
      "of another size",
      withDescriptor(sparse, "RW 143361", "RW 143360"),
      /says 143360 sectors, its header 143361/,
    ],
    [
      "with another second table",
      withWord(sparse, plan.redundantTablesOffset + 4, 640),
      /different things of grain table 0/,
    ],
    [
      "without a second table",
      withWord(sparse, plan.redundantDirectoryOffset + 8, 0),
      /different things of grain table 2/,
    ],
    [
      "with a second table beyond the end",
      withWord(sparse, plan.redundantDirectoryOffset, 2 ** 31),
      /is damaged: grain table 0 lies/,
    ],
    [
      "with a second directory beyond the end",
      withHeader(sparse, { redundantDirectoryOffset: 1n << 60n }),
      /behind its end/,
    ],
  ])("tells of a file %s", async (_, bytes, problem) => {
    const opened = (await open(bytesSource(bytes)))!;
    expect(opened.problems).toEqual([expect.stringMatching(problem)]);
    expect(Buffer.compare(await opened.read(0, disk.size), rawBytes(disk))).toBe(0);
  });

  it("tells of a second table that alone has something", async () => {
    const empty = await orderedContainer(() => vmdkLayout(plan), { ...disk, parts: [] });
    expect((await open(bytesSource(empty)))!.problems).toEqual([]);
    const opened = (await open(bytesSource(withWord(empty, plan.redundantTablesOffset + 2048, 128))))!;
    expect(opened.problems).toEqual([expect.stringMatching(/different things of grain table 1/)]);
  });

  it("reads grains of zeros where the flags allow them", async () => {
    const zeros = withWord(withWord(sparse, table + 4, 1), plan.redundantTablesOffset + 4, 1);
    const opened = (await open(bytesSource(withHeader(zeros, { version: 2, flags: 7 }))))!;
    expect(opened.problems).toEqual([]);
    expect(await opened.read(GRAIN, GRAIN)).toEqual(new Uint8Array(GRAIN));
    expect(await opened.read(2 * GRAIN, 9)).toEqual(rawBytes(disk).slice(2 * GRAIN, 2 * GRAIN + 9));
  });

  it("reads a stream whose directory lies at its start, and whose last grain ends with the disk", async () => {
    const size = GRAIN + 3 * SECTOR;
    const content = pattern(size, 3);
    const [directory, start] = [21, 26];
    const bytes = new Uint8Array(200 * SECTOR);
    bytes.set(stream.subarray(0, 21 * SECTOR));
    bytes.set(utf8(descriptorOf(stream).replace("RW 143361", "RW 131")), SECTOR);
    const view = new DataView(bytes.buffer);
    view.setUint32(directory * SECTOR, directory + 1, true);
    let sector = start;
    for (const grain of [0, 1]) {
      const data = deflateSync(content.subarray(grain * GRAIN, (grain + 1) * GRAIN));
      view.setUint32((directory + 1) * SECTOR + 4 * grain, sector, true);
      bytes.set(grainMarker.toBytes({ sector: BigInt(128 * grain), length: data.length }), sector * SECTOR);
      bytes.set(data, sector * SECTOR + grainMarker.span);
      sector += Math.ceil((grainMarker.span + data.length) / SECTOR);
    }
    const file = withHeader(bytes, {
      capacity: 131n,
      directoryOffset: BigInt(directory),
      overhead: BigInt(start),
    });
    await expectHolds(file, open, { size, parts: [{ position: 0, bytes: content }] });
    const short = (await openVmdk(bytesSource(file), {
      inflate: (data, most) => inflate(data, most).subarray(1),
    }))!;
    await expect(short.read(0, 1)).rejects.toThrow(
      "grain 0 at byte 13312 holds 65,535 bytes, not 65,536 bytes",
    );
  });

  it("tells of what is empty in large pieces, without reading every table at once", async () => {
    const size = 3 * 2 ** 40;
    const large = { size, parts: [{ position: size - 512, bytes: pattern(512, 1) }] };
    const bytes = await streamContainer(large);
    let reads = 0;
    const file = {
      size: bytes.length,
      read(position: number, length: number): Uint8Array {
        reads++;
        return bytes.subarray(position, position + length);
      },
    };
    const opened = (await open(file))!;
    const found = [];
    for await (const extents of opened.stored()) found.push(...extents);
    expect(found.map(({ position, length }) => [position, length])).toEqual([[size - GRAIN, GRAIN]]);
    expect(reads).toBeLessThan(60);
  });
});
