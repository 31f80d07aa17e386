import { describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { bytesSource } from "../../src/extents/index.ts";
import {
  bootCodeOf,
  MBR_TYPES,
  type MbrPartitionSpec,
  type MbrSpec,
  type MbrTable,
  mbrTypeByte,
  mbrTypeName,
  PARTED_FILE_GEOMETRY,
  planMbr,
  protectiveMbr,
  readMbr,
  STANDARD_GEOMETRY,
  writeMbr,
} from "../../src/mbr/index.ts";
import { bootRecord, partitionEntry } from "../../src/mbr/structures.ts";
import { render } from "../support/render.ts";

const SECTORS = 8192;
const BOOT: MbrPartitionSpec = { type: 0x0c, firstLba: 64, sectors: 64, bootable: true };
const ROOT: MbrPartitionSpec = { type: 0x83, firstLba: 128, sectors: 128 };
const CONTAINER: MbrPartitionSpec = { type: 0x05, firstLba: 512, sectors: 7000 };
const FIRST: MbrPartitionSpec = { type: 0x83, firstLba: 1024, sectors: 100 };
const SECOND: MbrPartitionSpec = { type: 0x82, firstLba: 4096, sectors: 200 };
const THIRD: MbrPartitionSpec = { type: 0x83, firstLba: 4400, sectors: 50 };
const SOUND: MbrSpec = {
  sectors: SECTORS,
  signature: 0x11223344,
  partitions: [BOOT, ROOT, CONTAINER],
  logical: [FIRST, SECOND, THIRD],
};

function problemsOf(spec: MbrSpec): DiskwrightError {
  try {
    planMbr(spec);
  } catch (error) {
    if (error instanceof DiskwrightError) return error;
    throw error;
  }
  throw new Error("the plan was accepted");
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("structures", () => {
  it("have the offsets of UEFI 2.10", () => {
    expect(partitionEntry.span).toBe(16);
    expect(bootRecord.span).toBe(512);
    expect(bootRecord.offsetOf("signature")).toBe(440);
    expect(bootRecord.offsetOf("partitions")).toBe(446);
    expect(bootRecord.offsetOf("bootSignature")).toBe(510);
  });
});

describe("addresses by cylinder, head and sector", () => {
  it.each([
    ["standard", STANDARD_GEOMETRY, 2048, 4095, "202100", "410100"],
    // 1023/254/63 is the last address that there is.
    ["standard", STANDARD_GEOMETRY, 16_434_495, 16_450_559, "00c1ff", "feffff"],
    ["standard", STANDARD_GEOMETRY, 16_450_560, 16_450_561, "feffff", "feffff"],
    ["parted's", PARTED_FILE_GEOMETRY, 2048, 131_071, "000110", "03e0ff"],
    ["parted's", PARTED_FILE_GEOMETRY, 131_072, 200_000, "03e0ff", "03e0ff"],
  ] as const)("are counted on the %s geometry", async (_, geometry, firstLba, lastLba, first, last) => {
    const partitions = [{ type: 0x83, firstLba, sectors: lastLba - firstLba + 1 }];
    const plan = planMbr({ sectors: 20_000_000, signature: 1, partitions, geometry });
    const sector = await render(writeMbr(plan), 512);
    expect(hex(sector.subarray(447, 450))).toBe(first);
    expect(hex(sector.subarray(451, 454))).toBe(last);
  });
});

describe("planMbr", () => {
  it("numbers partitions, and places their records", () => {
    const plan = planMbr({ ...SOUND, partitions: [CONTAINER, { ...ROOT, number: 1 }, BOOT] });
    expect(plan.partitions.map(({ number, firstLba }) => [number, firstLba])).toEqual([
      [1, 128],
      [2, 512],
      [3, 64],
    ]);
    expect(plan.container).toMatchObject({ number: 2 });
    // At the start of the container; 1 MiB before the partition; behind the partition before it.
    expect(plan.logical.map(({ number, recordLba }) => [number, recordLba])).toEqual([
      [5, 512],
      [6, 2048],
      [7, 4296],
    ]);
  });

  it.each<[string, MbrSpec]>([
    ["no partitions", { ...SOUND, partitions: [], logical: [] }],
    ["an empty container", { ...SOUND, logical: [] }],
    ["all other extended types", { ...SOUND, partitions: [{ ...CONTAINER, type: 0x85 }] }],
    [
      "the last sector of the disk",
      { ...SOUND, partitions: [{ ...ROOT, sectors: SECTORS - 128 }], logical: [] },
    ],
    [
      "the last sector of 32 bits",
      {
        ...SOUND,
        sectors: 2 ** 33,
        partitions: [{ ...ROOT, firstLba: 1, sectors: 2 ** 32 - 1 }],
        logical: [],
      },
    ],
    ["boot code of 440 bytes", { ...SOUND, bootCode: new Uint8Array(440) }],
    ["a logical partition behind its record", { ...SOUND, logical: [{ ...FIRST, firstLba: 513 }] }],
    ["a logical partition to the end", { ...SOUND, logical: [{ ...FIRST, sectors: 7512 - 1024 }] }],
    ["numbers that are right", { ...SOUND, logical: [{ ...FIRST, number: 5 }] }],
  ])("accepts %s", (_, spec) => expect(() => planMbr(spec)).not.toThrow());

  const withPartition = (changes: Partial<MbrPartitionSpec>): MbrSpec => ({
    ...SOUND,
    partitions: [{ ...BOOT, ...changes }, ROOT],
    logical: [],
  });
  const withLogical = (...logical: MbrPartitionSpec[]): MbrSpec => ({ ...SOUND, logical });
  it.each<[string, MbrSpec, string, string]>([
    ["a sector size", { ...SOUND, sectorSize: 1024 as 512 }, "INVALID_SPEC", "1024: it can be 512 or 4096"],
    [
      "no signature",
      { ...SOUND, signature: 0 },
      "INVALID_SPEC",
      "signature is 0, which means that there is none",
    ],
    ["a long signature", { ...SOUND, signature: 2 ** 32 }, "INVALID_SPEC", "signature is 4294967296"],
    ["long boot code", { ...SOUND, bootCode: new Uint8Array(441) }, "INVALID_SPEC", "441 bytes: at most 440"],
    [
      "a geometry without heads",
      { ...SOUND, geometry: { ...STANDARD_GEOMETRY, heads: 0 } },
      "INVALID_SPEC",
      "0 heads: they are 1 to 255",
    ],
    [
      "a geometry of 64 sectors",
      { ...SOUND, geometry: { ...STANDARD_GEOMETRY, sectorsPerTrack: 64 } },
      "INVALID_SPEC",
      "64 sectors per track",
    ],
    [
      "an overflow of no bytes",
      { ...SOUND, geometry: { ...STANDARD_GEOMETRY, overflow: [0, 0, 256] } },
      "INVALID_SPEC",
      "[0, 0, 256] is not three bytes",
    ],
    [
      "five primary partitions",
      {
        ...SOUND,
        partitions: [0, 1, 2, 3, 4].map((index) => ({ ...ROOT, firstLba: 1000 * (index + 1) })),
        logical: [],
      },
      "INVALID_TABLE",
      "there are 5 partitions, but the table has room for 4",
    ],
    [
      "two containers",
      { ...SOUND, partitions: [CONTAINER, { ...CONTAINER, type: 0x0f, firstLba: 8000, sectors: 10 }] },
      "INVALID_TABLE",
      "partitions 1 and 2 are extended",
    ],
    ["no container", { ...SOUND, partitions: [BOOT] }, "INVALID_TABLE", "no extended partition (0x05"],
    ["number 5", withPartition({ number: 5 }), "INVALID_TABLE", "the number 5: they go from 1 to 4"],
    [
      "a number twice",
      {
        ...SOUND,
        partitions: [
          { ...BOOT, number: 2 },
          { ...ROOT, number: 2 },
        ],
        logical: [],
      },
      "INVALID_TABLE",
      "two partitions have the number 2",
    ],
    [
      "a start of 0",
      withPartition({ firstLba: 0 }),
      "INVALID_TABLE",
      "sector 0, where the table itself lies",
    ],
    ["a fraction of a start", withPartition({ firstLba: 1.5 }), "INVALID_SPEC", "starts at sector 1.5"],
    ["no size", withPartition({ sectors: 0 }), "INVALID_TABLE", "has no sectors"],
    ["a negative size", withPartition({ sectors: -1 }), "INVALID_SPEC", "has -1 sectors"],
    ["an end past the disk", withPartition({ sectors: SECTORS - 63 }), "INVALID_TABLE", "of the disk, 8191"],
    [
      "an end past 32 bits",
      { ...SOUND, sectors: 2 ** 33, partitions: [{ ...ROOT, firstLba: 1, sectors: 2 ** 32 }], logical: [] },
      "INVALID_TABLE",
      "reaches up to 4294967295",
    ],
    [
      "type 0",
      withPartition({ type: 0 }),
      "INVALID_TABLE",
      "type 0x00, which marks an entry that is not used",
    ],
    ["type 0xee", withPartition({ type: 0xee }), "INVALID_TABLE", "announces a GPT"],
    ["a type past a byte", withPartition({ type: 256 }), "INVALID_SPEC", "type 256: it is a byte"],
    [
      "two active partitions",
      { ...SOUND, partitions: [BOOT, { ...ROOT, bootable: true }], logical: [] },
      "INVALID_TABLE",
      "partitions 1 and 2 are bootable",
    ],
    [
      "an overlap",
      withPartition({ sectors: 65 }),
      "INVALID_TABLE",
      "partition 2 (sectors 128 to 255) overlaps partition 1 (64 to 128)",
    ],
    [
      "an overlap with the container",
      { ...SOUND, partitions: [CONTAINER, { ...ROOT, firstLba: 7511 }] },
      "INVALID_TABLE",
      "partition 2 (sectors 7511 to 7638) overlaps partition 1",
    ],
    [
      "a logical partition before the container",
      withLogical({ ...FIRST, firstLba: 300 }),
      "INVALID_TABLE",
      "partition 5 (sectors 300 to 399) lies outside the extended partition 3 (512 to 7511)",
    ],
    [
      "a logical partition across the end of the container",
      withLogical({ ...FIRST, firstLba: 7500 }),
      "INVALID_TABLE",
      "lies outside the extended partition 3",
    ],
    [
      "no room for the first record",
      withLogical({ ...FIRST, firstLba: 512 }),
      "INVALID_TABLE",
      "where its extended boot record has to lie: start it at 513 or later",
    ],
    [
      "no room for the second record",
      withLogical(FIRST, { ...SECOND, firstLba: 1124 }),
      "INVALID_TABLE",
      "start it at 1125 or later",
    ],
    [
      "overlapping ones",
      withLogical(FIRST, { ...SECOND, firstLba: 1123 }),
      "INVALID_TABLE",
      "6 overlaps partition 5",
    ],
    ["descending ones", withLogical(SECOND, FIRST), "INVALID_TABLE", "list logical partitions in the order"],
    [
      "a nested container",
      withLogical({ ...FIRST, type: 0x0f }),
      "INVALID_TABLE",
      "cannot have the extended type",
    ],
    [
      "a logical number",
      withLogical({ ...FIRST, number: 6 }),
      "INVALID_TABLE",
      "by its place in the list it is 5",
    ],
    [
      "too many logical ones",
      withLogical(
        ...Array.from({ length: 252 }, (_, index) => ({ ...FIRST, firstLba: 600 + 4 * index, sectors: 2 })),
      ),
      "INVALID_TABLE",
      "there are 252 logical partitions: Linux sees at most 251",
    ],
  ])("refuses %s", (_, spec, code, message) => {
    const error = problemsOf(spec);
    expect(error).toMatchObject({ code });
    expect(error.problems).toHaveLength(1);
    expect(error.message).toContain(message);
  });

  it("lists everything at once", () => {
    const error = problemsOf({
      sectors: 100,
      signature: 0,
      partitions: [
        { ...BOOT, type: 0 },
        { ...ROOT, sectors: 0 },
      ],
      logical: [FIRST],
    });
    expect(error.code).toBe("INVALID_TABLE");
    expect(error.problems).toEqual([
      expect.stringContaining("signature"),
      expect.stringContaining("0x00"),
      expect.stringContaining("partition 1 ends at sector 127"),
      expect.stringContaining("no sectors"),
      expect.stringContaining("partition 5 ends"),
      expect.stringContaining("no extended partition"),
    ]);
  });
});

describe("mbrTypeByte", () => {
  it.each<[string | number, number]>([
    [0x83, 0x83],
    ["0x83", 0x83],
    ["0xC", 0x0c],
    ["esp", 0xef],
    ["linux-generic", 0x83],
    ["exfat", 0x07],
  ])("%o", (type, byte) => expect(mbrTypeByte(type)).toBe(byte));

  it.each([
    ["83", 'MBR type "83": use 0x83 when the digits are hexadecimal'],
    ["c", "use 0xc when"],
    ["0x183", "a byte from 0x01 to 0xff"],
    ["fat32_lba", "did you mean fat32-lba"],
    ["linux", "did you mean linux-generic, linux-extended, linux-raid?"],
    ["constructor", "use a number such as 0x83, or one of fat12,"],
    ["", "use a number such as 0x83"],
  ])("refuses %o", (type, message) => {
    expect(() => mbrTypeByte(type)).toThrow(
      expect.objectContaining({ code: "INVALID_SPEC", message: expect.stringContaining(message) }),
    );
  });

  it("has no two names for a byte, but for those that systems share", () => {
    expect(new Set(Object.values(MBR_TYPES)).size).toBe(Object.keys(MBR_TYPES).length);
    for (const [name, byte] of Object.entries(MBR_TYPES)) expect(mbrTypeName(byte)).toBe(name);
  });
});

describe("bootCodeOf", () => {
  const code = new Uint8Array(440).fill(0xcc);
  const sector = (...tail: number[]): Uint8Array => {
    const bytes = new Uint8Array(512);
    bytes.set(code);
    bytes.set(tail, 512 - tail.length);
    return bytes;
  };

  it.each<[string, Uint8Array, Uint8Array]>([
    ["nothing", new Uint8Array(0), new Uint8Array(0)],
    ["a few bytes", Uint8Array.of(0xf4, 0xeb), Uint8Array.of(0xf4, 0xeb)],
    ["440 bytes", code, code],
    ["a boot sector", sector(0x55, 0xaa), code],
    ["a boot sector with more code in the place of its table", sector(0xf4, 0xf4, 0x55, 0xaa), code],
    ["code that was filled up with zeros", sector(), code],
  ])("takes %s", (_, bytes, expected) => {
    expect(Buffer.from(bootCodeOf(bytes))).toEqual(Buffer.from(expected));
  });

  const fat = sector(0x55, 0xaa);
  fat.set([0xeb, 0x58, 0x90, ...Buffer.from("mkfs.fat"), 0, 2, 8, 0x20, 0, 2, 0, 0, 0, 0, 0xf8]);
  it.each<[string, Uint8Array, string]>([
    ["441 bytes", new Uint8Array(441), "it has 441 bytes: use up to 440"],
    ["a sector of code", sector(0x90, 0x90), "its last 72 bytes are no table that ends in 55 AA"],
    ["two sectors", new Uint8Array(1024), "use up to 440 bytes, or a whole boot sector of 512"],
    ["the boot sector of a filesystem", fat, "the boot sector of a filesystem"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => bootCodeOf(bytes)).toThrow(
      expect.objectContaining({ code: "INVALID_SPEC", message: expect.stringContaining(message) }),
    );
  });
});

describe("writeMbr", () => {
  it("links records by the rules of each field", async () => {
    const image = await render(writeMbr(planMbr(SOUND)), SECTORS * 512);
    const entries = (sector: number): string[] =>
      [446, 462, 478].map((offset) => {
        const { status, type, firstLba, sectors } = partitionEntry.fromBytes(image, sector * 512 + offset);
        return [status, type, firstLba, sectors].join(" ");
      });
    expect(entries(0)).toEqual(["128 12 64 64", "0 131 128 128", "0 5 512 7000"]);
    // The partition counts from its own record; the link counts from the container, and covers the record.
    expect(entries(512)).toEqual(["0 131 512 100", `0 5 1536 ${4296 - 2048}`, "0 0 0 0"]);
    expect(entries(2048)).toEqual(["0 130 2048 200", `0 5 3784 ${4450 - 4296}`, "0 0 0 0"]);
    expect(entries(4296)).toEqual(["0 131 104 50", "0 0 0 0", "0 0 0 0"]);
    for (const sector of [0, 512, 2048, 4296]) {
      expect([...image.subarray(sector * 512 + 510, sector * 512 + 512)]).toEqual([0x55, 0xaa]);
    }
  });
});

describe("protectiveMbr", () => {
  it.each([
    [131_072, "00000200eeffffff01000000ffff0100"],
    [2 ** 32, "00000200eeffffff01000000ffffffff"],
    [3 * 2 ** 31, "00000200eeffffff01000000ffffffff"],
  ])("covers a disk of %i sectors as far as 32 bits go", (sectors, entry) => {
    const sector = protectiveMbr(sectors);
    expect(hex(sector.subarray(446, 462))).toBe(entry);
    expect(hex(sector)).toBe(`${"00".repeat(446)}${entry}${"00".repeat(48)}55aa`);
  });

  it("reads as a table with one partition", async () => {
    const sectors = 131_072;
    const source = bytesSource(protectiveMbr(sectors, { bootable: true }));
    expect(await readMbr(source)).toEqual({
      signature: 0,
      partitions: [
        {
          number: 1,
          bootable: true,
          type: 0xee,
          typeName: "gpt-protective",
          firstLba: 1,
          sectors: sectors - 1,
        },
      ],
      problems: [],
    });
  });
});

describe("readMbr", () => {
  async function readDamaged(
    damage: (image: Uint8Array) => unknown,
    spec = SOUND,
  ): Promise<MbrTable | undefined> {
    const image = await render(writeMbr(planMbr(spec)), spec.sectors * 512);
    const damaged = damage(image);
    return await readMbr(bytesSource(damaged instanceof Uint8Array ? damaged : image));
  }
  /** Where an entry of a boot record lies in an image. */
  const at = (sector: number, index: number): number => sector * 512 + 446 + 16 * index;

  it("finds nothing wrong with what it writes", async () => {
    expect(await readDamaged(() => {})).toEqual({
      signature: 0x11223344,
      partitions: [
        { number: 1, typeName: "fat32-lba", ...BOOT },
        { number: 2, typeName: "linux-generic", bootable: false, ...ROOT },
        { number: 3, typeName: "extended", bootable: false, ...CONTAINER },
        { number: 5, typeName: "linux-generic", bootable: false, ...FIRST },
        { number: 6, typeName: "swap", bootable: false, ...SECOND },
        { number: 7, typeName: "linux-generic", bootable: false, ...THIRD },
      ],
      problems: [],
    });
  });

  it("sees no table without 55 AA, or without a sector", async () => {
    expect(await readDamaged((image) => void (image[510] = 0))).toBeUndefined();
    expect(await readDamaged((image) => image.subarray(0, 511))).toBeUndefined();
    expect(await readMbr(bytesSource(new Uint8Array(0)))).toBeUndefined();
  });

  /** A boot sector: jump, name, and the parameters that FAT has. */
  function fatSector(): Uint8Array {
    const sector = new Uint8Array(SECTORS * 512);
    sector.set([0xeb, 0x58, 0x90, ...Buffer.from("mkfs.fat")]);
    sector.set([0x00, 0x02, 0x08, 0x20, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0xf8], 11);
    sector.set([0x55, 0xaa], 510);
    return sector;
  }
  it("takes no filesystem for a table", async () => {
    expect(await readMbr(bytesSource(fatSector()))).toBeUndefined();
    const withText = fatSector();
    withText.set(Buffer.from("Remove disks or other media. Press any key to restart "), 440);
    expect(await readMbr(bytesSource(withText))).toBeUndefined();
    for (const name of ["NTFS    ", "EXFAT   "]) {
      const sector = new Uint8Array(512);
      sector.set([0xeb, 0x52, 0x90, ...Buffer.from(name)]);
      sector.set([0x55, 0xaa], 510);
      expect(await readMbr(bytesSource(sector))).toBeUndefined();
    }
  });

  it("takes a filesystem with a table for a table", async () => {
    const sector = fatSector();
    sector.set([0x80, 0, 0, 0, 0x0c, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0], 446);
    expect(await readMbr(bytesSource(sector))).toMatchObject({ partitions: [{ firstLba: 64, sectors: 64 }] });
  });

  it("takes boot code that starts with a jump for a table", async () => {
    const bootCode = Uint8Array.of(0xeb, 0x63, 0x90);
    const table = await readDamaged(() => {}, { ...SOUND, bootCode });
    expect(table).toMatchObject({ problems: [] });
  });

  it.each<[string, (image: Uint8Array) => unknown, string[], number[]]>([
    ["a signature of 0", (image) => image.fill(0, 440, 444), ["the disk signature is 0"], [1, 2, 3, 5, 6, 7]],
    [
      "a status that is no flag",
      (image) => void (image[at(0, 1)] = 0x7f),
      ["partition 2 has the status 0x7f"],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "two active partitions",
      (image) => void (image[at(0, 1)] = 0x80),
      ["partitions 1 and 2 are both active"],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "type 0 with data",
      (image) => void (image[at(0, 1) + 4] = 0),
      ["partition 2 has data, but the type 0x00"],
      [1, 3, 5, 6, 7],
    ],
    [
      "a start of 0",
      (image) => image.fill(0, at(0, 0) + 8, at(0, 0) + 12),
      ["partition 1 starts at the sector of its own table"],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "no size",
      (image) => image.fill(0, at(0, 0) + 12, at(0, 1)),
      ["partition 1 has no sectors"],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "an overlap",
      (image) => void (image[at(0, 0) + 12] = 65),
      ["partition 2 overlaps partition 1"],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "two containers",
      (image) => void (image[at(0, 1) + 4] = 0x0f),
      ["partitions 2 and 3 are both extended", "at sector 128 does not end in 55 AA"],
      [1, 2, 3],
    ],
    [
      "a cut disk",
      (image) => image.subarray(0, 3000 * 512),
      [
        "the extended boot record at sector 4296 lies past the last sector of the disk, 2999",
        "partition 3 ends at sector 7511, the disk at 2999",
        "partition 6 ends at sector 4295, the disk at 2999",
      ],
      [1, 2, 3, 5, 6],
    ],
    [
      "a record without 55 AA",
      (image) => void (image[2048 * 512 + 510] = 0),
      ["at sector 2048 does not end in 55 AA"],
      [1, 2, 3, 5],
    ],
    [
      "a chain in a loop",
      (image) => image.set([0, 0, 0, 0], at(2048, 1) + 8),
      ["at sector 2048 links backwards, to sector 512", "at sector 512 is part of a loop"],
      [1, 2, 3, 5, 6],
    ],
    [
      "a record that links to itself",
      (image) => image.set([0, 6], at(2048, 1) + 8),
      ["at sector 2048 is part of a loop"],
      [1, 2, 3, 5, 6],
    ],
    [
      "a link out of the container",
      (image) => image.set([0xff, 0xff, 0xff, 0xff], at(512, 1) + 8),
      [`at sector ${2 ** 32 - 1 + 512} lies outside the extended partition 3`],
      [1, 2, 3, 5],
    ],
    [
      "a logical partition outside of the container",
      (image) => image.set([0xff, 0xff, 0xff], at(512, 0) + 12),
      [
        "partition 5 lies outside the extended partition 3",
        "partition 6 overlaps partition 5",
        "partition 7 overlaps partition 5",
        "partition 5 ends at sector 16778238, the disk at 8191",
      ],
      [1, 2, 3, 5, 6, 7],
    ],
    [
      "two partitions in a record",
      (image) => image.copyWithin(at(4296, 2), at(4296, 0), at(4296, 1)),
      ["at sector 4296 has 2 partitions", "partition 8 overlaps partition 7"],
      [1, 2, 3, 5, 6, 7, 8],
    ],
    [
      "two links in a record",
      (image) => image.copyWithin(at(512, 2), at(512, 1), at(512, 2)),
      ["at sector 512 links to 2 others"],
      [1, 2, 3, 5, 6, 7],
    ],
  ])("reports %s", async (_, damage, messages, numbers) => {
    const table = await readDamaged(damage);
    expect(table!.problems).toEqual(messages.map((message) => expect.stringContaining(message)));
    expect(table!.partitions.map(({ number }) => number)).toEqual(numbers);
  });

  it("follows a chain backwards, as Linux does", async () => {
    // Swap what the first record links to: 512 → 4296 → 2048.
    const table = await readDamaged((image) => {
      const link = (sector: number, target: number): void =>
        new DataView(image.buffer, image.byteOffset).setUint32(at(sector, 1) + 8, target - 512, true);
      link(512, 4296);
      image.copyWithin(at(4296, 1), at(512, 1), at(512, 2));
      link(4296, 2048);
      image.fill(0, at(2048, 1), at(2048, 2));
    });
    expect(table!.partitions.slice(3).map(({ firstLba }) => firstLba)).toEqual([1024, 4400, 4096]);
    expect(table!.problems).toEqual([
      expect.stringContaining("at sector 4296 links backwards, to sector 2048"),
    ]);
  });

  it("ends an endless chain", async () => {
    // Records one after the other through the whole container, each with a link to the next.
    const table = await readDamaged((image) => {
      for (let sector = 512; sector < 7512; sector++) {
        image.set([0, 0, 0, 0, 5, 0, 0, 0], at(sector, 1));
        new DataView(image.buffer, image.byteOffset).setUint32(at(sector, 1) + 8, sector + 1 - 512, true);
        image.set([0x55, 0xaa], sector * 512 + 510);
      }
    });
    expect(table!.problems).toContainEqual(expect.stringContaining("longer than 251"));
  });
});
