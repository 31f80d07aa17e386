import { describe, expect, it } from "vitest";
import { crc32, NIL_GUID, utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError, DoesNotFitError } from "../../src/errors.ts";
import { bytesSource } from "../../src/extents/index.ts";
import {
  attributeNames,
  DISCOVERABLE_ARCHITECTURES,
  DISCOVERABLE_TYPES,
  discoverableType,
  type GptPartitionSpec,
  type GptSpec,
  type GptTable,
  gptUsableRange,
  PARTITION_ATTRIBUTES,
  PARTITION_TYPES,
  parseAttributes,
  partitionTypeGuid,
  planGpt,
  readGpt,
  writeGpt,
} from "../../src/gpt/index.ts";
import { gptEntry, gptHeader } from "../../src/gpt/structures.ts";
import { partitionEntry } from "../../src/mbr/structures.ts";
import { render } from "../support/render.ts";

const DISK_GUID = "97fd5997-f390-0b4a-a3f8-d106c1723aea";
const FIRST_GUID = "1c06f03b-704e-4657-b9cd-681a087a2fdc";
const SECOND_GUID = "970c694f-afd0-4b99-b750-cdb7a329ab6f";

const ESP: GptPartitionSpec = { type: "esp", guid: FIRST_GUID, firstLba: 64, lastLba: 95, name: "ESP" };
const ROOT: GptPartitionSpec = {
  type: "root-x86-64",
  guid: SECOND_GUID,
  firstLba: 96,
  lastLba: 159,
  name: "root",
};
const SECTORS = 256;
const SOUND: GptSpec = { sectors: SECTORS, diskGuid: DISK_GUID, partitions: [ESP, ROOT] };

function problemsOf(spec: GptSpec): DiskwrightError {
  try {
    planGpt(spec);
  } catch (error) {
    if (error instanceof DiskwrightError) return error;
    throw error;
  }
  throw new Error("the plan was accepted");
}

describe("structures", () => {
  it("have the offsets of UEFI 2.10", () => {
    expect(gptHeader.span).toBe(92);
    expect(gptHeader.offsetOf("diskGuid")).toBe(56);
    expect(gptHeader.offsetOf("entriesCrc")).toBe(88);
    expect(gptEntry.span).toBe(128);
    expect(gptEntry.offsetOf("attributes")).toBe(48);
    expect(gptEntry.offsetOf("name")).toBe(56);
  });

  it("name no partition type twice", () => {
    expect(new Set(Object.values(PARTITION_TYPES)).size).toBe(Object.keys(PARTITION_TYPES).length);
    expect(partitionTypeGuid("constructor")).toBeUndefined();
  });
});

describe("a hybrid MBR", () => {
  const spec: GptSpec = {
    ...SOUND,
    hybrid: [
      { number: 2, type: 0x83, bootable: true },
      { number: 1, type: 0xef },
    ],
  };
  it("is read back as it was asked for, without a problem", async () => {
    const table = await readGpt(bytesSource(await render(writeGpt(planGpt(spec)), SECTORS * 512)));
    expect(table).toMatchObject({
      problems: [],
      hybrid: [
        { number: 1, type: 0xef, bootable: false },
        { number: 2, type: 0x83, bootable: true },
      ],
      protectiveMbrEntry: "last",
    });
  });
  it.each([
    [undefined, [0xef, 0x83, 0xee, 0]],
    ["last", [0xef, 0x83, 0xee, 0]],
    ["first", [0xee, 0xef, 0x83, 0]],
  ] as const)("has its protective partition where it is asked for: %s", async (place, types) => {
    const image = await render(writeGpt(planGpt({ ...spec, protectiveMbrEntry: place })), SECTORS * 512);
    expect([0, 1, 2, 3].map((index) => image[450 + 16 * index])).toEqual(types);
    expect((await readGpt(bytesSource(image)))!.protectiveMbrEntry).toBe(place ?? "last");
  });
  it.each<[string, GptSpec["hybrid"], RegExp]>([
    ["a partition that there is not", [{ number: 3, type: 1 }], /partition 3 .* not in the GPT/],
    [
      "a partition twice",
      [
        { number: 1, type: 1 },
        { number: 1, type: 1 },
      ],
      /in the MBR twice/,
    ],
    ["four", [1, 2, 1, 2].map((number) => ({ number, type: 1 })), /has room for 3/],
    ["two that are active", [1, 2].map((number) => ({ number, type: 1, bootable: true })), /only one can be/],
    ["no type", [{ number: 1, type: 0 }], /partition 1 has the type 0 in the MBR: it is a byte, and not 0/],
    ["the protective type", [{ number: 1, type: 0xee }], /cannot have the type 0xee/],
    ["an extended type", [{ number: 1, type: 5 }], /cannot have the type 0x05/],
  ])("cannot have %s", (_, hybrid, message) =>
    expect(problemsOf({ ...SOUND, hybrid: hybrid! }).message).toMatch(message),
  );

  it("has one active partition, the protective one included", () => {
    const message = problemsOf({ ...spec, protectiveMbrBootable: true }).message;
    expect(message).toContain("partitions 0xee and 2 are bootable in the MBR");
  });

  it("reaches up to sector 2^32 - 1", () => {
    const sectors = 2 ** 33;
    const upTo = (lastLba: number): GptSpec => ({
      ...SOUND,
      sectors,
      partitions: [{ ...ROOT, number: 1, lastLba }],
      hybrid: [{ number: 1, type: 0x83 }],
    });
    expect(planGpt(upTo(2 ** 32 - 1)).hybrid).toEqual([
      { type: 0x83, firstLba: 96, sectors: 2 ** 32 - 96, bootable: false },
    ]);
    expect(problemsOf(upTo(2 ** 32)).message).toContain("reaches up to 4294967295");
  });

  it("has room for three partitions, and the protective one over all before the first of them", async () => {
    const partitions = [1, 2, 3].map((number) => ({
      ...ESP,
      number,
      guid: FIRST_GUID.replace(/^./, String(number)),
      firstLba: 200 - 40 * number,
      lastLba: 210 - 40 * number,
    }));
    const hybrid = partitions.map(({ number }) => ({ number, type: number, bootable: false }));
    const image = await render(writeGpt(planGpt({ ...SOUND, partitions, hybrid })), SECTORS * 512);
    const entries = [0, 1, 2, 3].map((index) => partitionEntry.fromBytes(image, 446 + 16 * index));
    expect(entries.map(({ type, firstLba, sectors }) => [type, firstLba, sectors])).toEqual([
      [3, 80, 11],
      [2, 120, 11],
      [1, 160, 11],
      [0xee, 1, 79],
    ]);
  });
});

describe("entries that lie elsewhere", () => {
  it("leave the sectors behind the header to firmware", async () => {
    const spec: GptSpec = { ...SOUND, entriesLba: 60, sectors: 300, partitions: [{ ...ROOT, firstLba: 96 }] };
    expect(gptUsableRange(spec).firstUsableLba).toBe(92);
    const image = await render(writeGpt(planGpt(spec)), 300 * 512);
    expect(image.subarray(1024, 60 * 512).every((byte) => byte === 0)).toBe(true);
    expect(await readGpt(bytesSource(image))).toMatchObject({ problems: [], firstUsableLba: 92 });
  });
  it("keep off the header and the partitions", () => {
    expect(problemsOf({ ...SOUND, entriesLba: 1 }).message).toMatch(/where the header lies/);
    expect(problemsOf({ ...SOUND, entriesLba: 2.5 }).message).toMatch(/2.5: give a whole number/);
    expect(problemsOf({ ...SOUND, entriesLba: 80 }).message).toMatch(/can use 112 to 222/);
    expect(problemsOf({ ...SOUND, entriesLba: 60, firstUsableLba: 91 }).message).toMatch(/reaches up to 91/);
    const full = { ...SOUND, entriesLba: 191, partitions: [] };
    expect(problemsOf(full)).toMatchObject({ code: "DOES_NOT_FIT", missingBytes: 512 });
    expect(planGpt({ ...full, sectors: SECTORS + 1 })).toMatchObject({
      firstUsableLba: 223,
      lastUsableLba: 223,
    });
  });
});

describe("parseAttributes", () => {
  it.each<[readonly string[] | string | bigint, bigint]>([
    [["read-only", "no-auto"], 0x9000_0000_0000_0000n],
    [["bit-59", "legacy-bootable"], PARTITION_ATTRIBUTES.growFileSystem | 4n],
    [["0x8000000000000001"], 0x8000_0000_0000_0001n],
    ["required, no-block-io bit-48", 0x0001_0000_0000_0003n],
    ["0x0000000000000004", 4n],
    [7n, 7n],
    [[], 0n],
    ["", 0n],
  ])("%o", (value, bits) => expect(parseAttributes(value)).toBe(bits));

  it.each<[readonly string[] | string | bigint, RegExp]>([
    ["readonly", /"readonly": did you mean read-only\?/],
    ["frozen", /"frozen": use required, no-block-io, .* no-auto, bit-48 … bit-63/],
    ["bit-64", /"bit-64": use/],
    ["bit-17", /0x20000: bits 3 to 47 are reserved/],
    ["4", /"4": use .*0x8000000000000000/],
    ["0x8", /0x8: bits 3 to 47/],
    ["0x10000000000000000", /not 64 bits/],
    [-1n, /not 64 bits/],
  ])("refuses %o", (value, message) => expect(() => parseAttributes(value)).toThrow(message));

  it("lists everything at once", () => {
    expect(() => parseAttributes(["hidden", "read-only", "bit-5"])).toThrow(
      expect.objectContaining({ code: "INVALID_SPEC", problems: [expect.anything(), expect.anything()] }),
    );
  });
});

describe("attributeNames", () => {
  it("names what has a name, lowest bit first", () => {
    const bits = PARTITION_ATTRIBUTES.noAuto | PARTITION_ATTRIBUTES.required | (1n << 56n);
    expect(attributeNames(bits)).toEqual(["required", "bit-56", "no-auto"]);
    expect(attributeNames(1n << 17n)).toEqual(["bit-17"]);
  });
});

describe("the types of architectures", () => {
  it("are each their own, and found by name", () => {
    expect(new Set(DISCOVERABLE_TYPES.values()).size).toBe(6 * DISCOVERABLE_ARCHITECTURES.length);
    expect(partitionTypeGuid("usr-arm64-verity-sig")).toBe("c23ce4ff-44bd-4b00-b2d4-b41b3419e02a");
    for (const guid of DISCOVERABLE_TYPES.values()) {
      // All were drawn at random (RFC 9562, version 4), so that a slip of the pen has a chance to show.
      expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("are found by what they are for", () => {
    expect(discoverableType("root", "x86-64")).toBe("root-x86-64");
    expect(discoverableType("usr-verity-sig", "mips64-le")).toBe("usr-mips64-le-verity-sig");
    expect(() => discoverableType("root", "x86_64")).toThrow("did you mean x86-64");
    expect(() => discoverableType("root", "vax")).toThrow("one of alpha, arc, arm,");
  });
});

describe("a type that is not known", () => {
  it.each([
    ["root-x86_64", "did you mean root-x86-64"],
    ["linux", "did you mean linux-generic"],
    ["BIOS-boot", "did you mean bios-boot"],
    ["u-boot", "did you mean u-boot-environment"],
    ["ext4", "did you mean linux-generic?"],
    ["btrfs", "use a GUID, or one of esp, xbootldr, linux-generic, swap,"],
  ])("%s", (type, message) => {
    expect(problemsOf({ ...SOUND, partitions: [{ ...ESP, type }] }).message).toContain(message);
  });
});

describe("gptUsableRange", () => {
  it.each([
    [{ sectors: 4_194_304 }, 34, 4_194_270],
    [{ sectors: 4_194_304, entryCount: 4 }, 34, 4_194_270],
    [{ sectors: 4_194_304, entryCount: 129 }, 35, 4_194_269],
    [{ sectors: 4_194_304, sectorSize: 4096 as const }, 6, 4_194_298],
    [{ sectors: 68 }, 34, 34],
  ])("of %o is %i to %i", (disk, firstUsableLba, lastUsableLba) => {
    expect(gptUsableRange(disk)).toEqual({ firstUsableLba, lastUsableLba });
  });

  it("refuses a disk that the tables fill, and says what is missing", () => {
    expect(() => gptUsableRange({ sectors: 67 })).toThrow("needs 68 (512 bytes more)");
    expect(() => gptUsableRange({ sectors: 1.5 })).toThrow("1.5 sectors");
  });
});

describe("planGpt", () => {
  it("fills in numbers, names and attributes, and orders by number", () => {
    const plan = planGpt({
      ...SOUND,
      partitions: [
        { ...ROOT, type: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709" },
        { number: 1, type: "esp", guid: FIRST_GUID.toUpperCase(), firstLba: 64, lastLba: 95 },
      ],
    });
    expect(plan.partitions).toEqual([
      {
        number: 1,
        type: PARTITION_TYPES.esp,
        guid: FIRST_GUID,
        firstLba: 64,
        lastLba: 95,
        name: "",
        attributes: 0n,
      },
      { ...ROOT, number: 2, type: PARTITION_TYPES["root-x86-64"], attributes: 0n },
    ]);
    expect(plan.primary).toEqual({ headerLba: 1, entriesLba: 2 });
    expect(plan.backup).toEqual({ headerLba: 255, entriesLba: 223 });
  });

  it.each<[string, GptSpec]>([
    ["a partition from limit to limit", { ...SOUND, partitions: [{ ...ESP, firstLba: 34, lastLba: 222 }] }],
    ["one sector", { ...SOUND, partitions: [{ ...ESP, firstLba: 34, lastLba: 34 }] }],
    ["a name of 36 units", { ...SOUND, partitions: [{ ...ESP, name: "💾".repeat(18) }] }],
    ["neighbours", { ...SOUND, partitions: [ESP, { ...ROOT, firstLba: 96, lastLba: 96 }] }],
    [
      "the highest attribute",
      { ...SOUND, partitions: [{ ...ESP, attributes: PARTITION_ATTRIBUTES.noAuto }] },
    ],
    ["the last entry", { ...SOUND, partitions: [{ ...ESP, number: 128 }] }],
    ["one entry", { ...SOUND, entryCount: 1, partitions: [ESP] }],
    ["the first usable sector of sfdisk", { ...SOUND, sectors: 8192, firstUsableLba: 2048, partitions: [] }],
  ])("accepts %s", (_, spec) => expect(() => planGpt(spec)).not.toThrow());

  const withPartition = (changes: Partial<GptPartitionSpec>): GptSpec => ({
    ...SOUND,
    partitions: [{ ...ESP, ...changes }, ROOT],
  });
  it.each<[string, GptSpec, string, string]>([
    ["a sector size", { ...SOUND, sectorSize: 520 as 512 }, "INVALID_SPEC", "sector size is 520"],
    ["a fraction of a sector", { ...SOUND, sectors: 255.5 }, "INVALID_SPEC", "255.5 sectors"],
    ["no sectors", { ...SOUND, sectors: 0 }, "INVALID_SPEC", "0 sectors"],
    ["a disk past 2^53 bytes", { ...SOUND, sectors: 2 ** 45 }, "INVALID_SPEC", "2^53 bytes"],
    ["no entries", { ...SOUND, entryCount: 0 }, "INVALID_SPEC", "0 entries: give an integer from 1 to 16384"],
    ["a million entries", { ...SOUND, entryCount: 1e6 }, "INVALID_SPEC", "1000000 entries"],
    ["long boot code", { ...SOUND, bootCode: new Uint8Array(441) }, "INVALID_SPEC", "441 bytes: at most 440"],
    ["a nil disk GUID", { ...SOUND, diskGuid: NIL_GUID }, "INVALID_TABLE", "the disk GUID is nil"],
    ["a bad disk GUID", { ...SOUND, diskGuid: `{${DISK_GUID}}` }, "INVALID_SPEC", "the disk GUID: "],
    ["a usable sector in the table", { ...SOUND, firstUsableLba: 33 }, "INVALID_TABLE", "reaches up to 33"],
    ["half a usable sector", { ...SOUND, firstUsableLba: 40.5 }, "INVALID_SPEC", "40.5: give a whole"],
    [
      "a nil type",
      withPartition({ type: NIL_GUID }),
      "INVALID_TABLE",
      'type GUID of partition 1 ("ESP") is nil',
    ],
    ["an unknown type", withPartition({ type: "efi" }), "INVALID_SPEC", '"efi" of partition 1'],
    ["a broken type", withPartition({ type: `{${FIRST_GUID}}` }), "INVALID_SPEC", "is not a GUID"],
    [
      "a nil GUID",
      withPartition({ guid: NIL_GUID }),
      "INVALID_TABLE",
      'the GUID of partition 1 ("ESP") is nil',
    ],
    ["a bad GUID", withPartition({ guid: "x" }), "INVALID_SPEC", '"x" is not a GUID'],
    [
      "a GUID twice",
      withPartition({ guid: SECOND_GUID.toUpperCase() }),
      "INVALID_TABLE",
      `partition 2 ("root") has the GUID of partition 1 ("ESP"), ${SECOND_GUID}`,
    ],
    ["a start in the table", withPartition({ firstLba: 33 }), "INVALID_TABLE", "can use 34 to 222"],
    [
      "an end in the backup",
      { ...SOUND, partitions: [ESP, { ...ROOT, lastLba: 223 }] },
      "INVALID_TABLE",
      'partition 2 ("root") ends at sector 223: partitions of this disk can use 34 to 222',
    ],
    [
      "an end before the start",
      withPartition({ lastLba: 63 }),
      "INVALID_TABLE",
      "starts at sector 64, after",
    ],
    ["a fraction of a start", withPartition({ firstLba: 64.5 }), "INVALID_SPEC", "starts at sector 64.5"],
    ["an end past 2^53", withPartition({ lastLba: 2 ** 53 }), "INVALID_SPEC", "below 2^53"],
    ["a start that is no number", withPartition({ firstLba: Number.NaN }), "INVALID_SPEC", "sector NaN"],
    [
      "an overlap",
      withPartition({ lastLba: 96 }),
      "INVALID_TABLE",
      'partition 2 ("root") (sectors 96 to 159) overlaps partition 1 ("ESP") (64 to 96)',
    ],
    ["a long name", withPartition({ name: "x".repeat(37) }), "INVALID_TABLE", "37 UTF-16 code units"],
    ["a long name of 19 emoji", withPartition({ name: "💾".repeat(19) }), "INVALID_TABLE", "38 UTF-16"],
    ["an emoji at unit 36", withPartition({ name: `${"x".repeat(35)}💾` }), "INVALID_TABLE", "37 UTF-16"],
    ["U+0000 in a name", withPartition({ name: "a\0" }), "INVALID_TABLE", "U+0000"],
    ["a lone surrogate", withPartition({ name: "\ud83d" }), "INVALID_TABLE", "half a surrogate pair"],
    ["a reserved attribute", withPartition({ attributes: 8n }), "INVALID_TABLE", "0x8: bits 3 to 47"],
    [
      "the last reserved attribute",
      withPartition({ attributes: 1n << 47n }),
      "INVALID_TABLE",
      "bits 3 to 47",
    ],
    ["65 bits of attributes", withPartition({ attributes: 1n << 64n }), "INVALID_TABLE", "not 64 bits"],
    ["negative attributes", withPartition({ attributes: -1n }), "INVALID_TABLE", "not 64 bits"],
    ["attributes as a number", withPartition({ attributes: 4 as never }), "INVALID_TABLE", "not a bigint"],
    ["entry 0", withPartition({ number: 0 }), "INVALID_TABLE", "the number 0: they go from 1 to 128"],
    ["entry 129", withPartition({ number: 129 }), "INVALID_TABLE", "the number 129"],
    [
      "an entry twice",
      { ...SOUND, partitions: [ESP, ROOT].map((partition) => ({ ...partition, number: 7 })) },
      "INVALID_TABLE",
      "two partitions have the number 7",
    ],
    [
      "more partitions than entries",
      { ...SOUND, entryCount: 1 },
      "INVALID_TABLE",
      "there are 2 partitions, but the table has room for 1",
    ],
  ])("refuses %s", (_, spec, code, message) => {
    const error = problemsOf(spec);
    expect(error).toMatchObject({ code });
    expect(error.problems).toHaveLength(1);
    expect(error.message).toContain(message);
  });

  it("lists everything at once", () => {
    const error = problemsOf({
      sectors: 60,
      diskGuid: NIL_GUID,
      partitions: [
        { ...ESP, guid: "?", name: "\0" },
        { ...ROOT, firstLba: 90, attributes: 8n },
      ],
    });
    expect(error.code).toBe("INVALID_TABLE");
    expect(error.problems).toEqual([
      expect.stringContaining("is not a GUID"),
      expect.stringContaining("the disk GUID is nil"),
      expect.stringContaining("U+0000"),
      expect.stringContaining("0x8"),
      expect.stringContaining("overlaps"),
      expect.stringContaining("too small for a GPT"),
    ]);
  });

  it("escapes what a name could do to a terminal", () => {
    expect(problemsOf(withPartition({ name: "\x1b[2J", lastLba: 96 })).message).not.toContain("\x1b");
  });

  it("says how many bytes a small disk lacks", () => {
    const error = problemsOf({ ...SOUND, sectors: 67, partitions: [] });
    expect(error).toBeInstanceOf(DoesNotFitError);
    expect(error).toMatchObject({ code: "DOES_NOT_FIT", missingBytes: 512 });
    const wide = problemsOf({
      ...SOUND,
      sectors: 1000,
      sectorSize: 4096,
      firstUsableLba: 1000,
      partitions: [],
    });
    expect(wide).toMatchObject({ missingBytes: 6 * 4096 });
    const mended = {
      ...SOUND,
      sectors: 1006,
      sectorSize: 4096 as const,
      firstUsableLba: 1000,
      partitions: [],
    };
    expect(planGpt(mended).lastUsableLba).toBe(1000);
  });
});

describe("writeGpt", () => {
  it("does not depend on what becomes of the caller's boot code", async () => {
    const bootCode = Buffer.alloc(4, 0xcc);
    const plan = planGpt({ ...SOUND, bootCode });
    bootCode.fill(0);
    const image = await render(writeGpt(plan), SECTORS * 512);
    expect([...image.subarray(0, 5)]).toEqual([0xcc, 0xcc, 0xcc, 0xcc, 0]);
  });

  it("keeps boot code and the flag of the protective partition", async () => {
    const plan = planGpt({ ...SOUND, protectiveMbrBootable: true, bootCode: new Uint8Array(440).fill(0xcc) });
    const image = await render(writeGpt(plan), SECTORS * 512);
    expect(Buffer.from(image.subarray(0, 440))).toEqual(Buffer.alloc(440, 0xcc));
    expect(Buffer.from(image.subarray(440, 462)).toString("hex")).toBe(
      "0000000000008000" + "0200eeffffff01000000ff000000",
    );
  });

  it("puts 55 AA at byte 510 of large sectors too", async () => {
    const plan = planGpt({ sectors: 64, sectorSize: 4096, diskGuid: DISK_GUID, partitions: [] });
    const image = await render(writeGpt(plan), 64 * 4096);
    expect([...image.subarray(510, 512)]).toEqual([0x55, 0xaa]);
    expect(Buffer.from(image.subarray(4096, 4104)).toString()).toBe("EFI PART");
    expect(Buffer.from(image.subarray(63 * 4096, 63 * 4096 + 8)).toString()).toBe("EFI PART");
  });
});

describe("readGpt", () => {
  const PRIMARY = 512;
  const BACKUP = (SECTORS - 1) * 512;
  const ENTRIES = 1024;
  const BACKUP_ENTRIES = (SECTORS - 33) * 512;

  const sound = (): Promise<Uint8Array> => render(writeGpt(planGpt(SOUND)), SECTORS * 512);
  const view = (image: Uint8Array): DataView => new DataView(image.buffer, image.byteOffset);

  /** Makes the checksum of a header right again. */
  function sealHeader(image: Uint8Array, at: number): void {
    const size = Math.min(view(image).getUint32(at + 12, true), 512);
    view(image).setUint32(at + 16, 0, true);
    view(image).setUint32(at + 16, crc32(image.subarray(at, at + size)), true);
  }

  /** Changes the entries in both copies, and makes all checksums right again. */
  function changeEntries(image: Uint8Array, change: (entries: Uint8Array) => void): void {
    for (const [header, entries] of [
      [PRIMARY, ENTRIES],
      [BACKUP, BACKUP_ENTRIES],
    ] as const) {
      const array = image.subarray(entries, entries + 16_384);
      change(array);
      view(image).setUint32(header + 88, crc32(array), true);
      sealHeader(image, header);
    }
  }

  /** Changes an image, or gives another one. */
  type Damage = (image: Uint8Array) => unknown;

  async function readDamaged(damage: Damage): Promise<GptTable> {
    const image = await sound();
    const damaged = damage(image);
    const table = await readGpt(bytesSource(damaged instanceof Uint8Array ? damaged : image));
    return table!;
  }

  it("finds nothing wrong with what it writes", async () => {
    expect(await readDamaged(() => {})).toEqual({
      sectorSize: 512,
      diskGuid: DISK_GUID,
      revision: 0x10000,
      firstUsableLba: 34,
      lastUsableLba: 222,
      entryCount: 128,
      entriesLba: 2,
      partitions: [
        { ...ESP, number: 1, type: PARTITION_TYPES.esp, typeName: "esp", attributes: 0n },
        { ...ROOT, number: 2, type: PARTITION_TYPES["root-x86-64"], typeName: "root-x86-64", attributes: 0n },
      ],
      hybrid: [],
      problems: [],
      usedBackup: false,
    });
  });

  it("leaves what it reads as it is, a Buffer too", async () => {
    const image = Buffer.from(await sound());
    await readGpt(bytesSource(image));
    expect(image.equals(await sound())).toBe(true);
  });

  it.each([0, 1, 511, 512, 513, 1024, 4096, 8192, 100_000])("sees no GPT in %i zeros", async (size) => {
    expect(await readGpt(bytesSource(new Uint8Array(size)))).toBeUndefined();
    expect(await readGpt(bytesSource(new Uint8Array(size)), { sectorSize: 4096 })).toBeUndefined();
  });

  it("sees no GPT with sectors of another size", async () => {
    expect(await readGpt(bytesSource(await sound()), { sectorSize: 4096 })).toBeUndefined();
  });

  const setHeader =
    (offset: number, value: number) =>
    (image: Uint8Array): void => {
      view(image).setUint32(PRIMARY + offset, value, true);
      sealHeader(image, PRIMARY);
    };
  it.each<[string, (image: Uint8Array) => void, string]>([
    ["the signature", (image) => void image.fill(0, PRIMARY, PRIMARY + 1), "the primary table is missing"],
    ["the header's CRC", (image) => void (image[PRIMARY + 16]! ^= 1), "header with the CRC"],
    ["a usable sector", (image) => void (image[PRIMARY + 40]! ^= 1), "header with the CRC"],
    ["an entry", (image) => void (image[ENTRIES + 56]! ^= 1), "entries with the CRC"],
    ["the revision", setHeader(8, 0x20000), "revision 0x00020000"],
    ["a small header", setHeader(12, 91), "header size of 91"],
    ["a large header", setHeader(12, 513), "header size of 513"],
    ["its own place", setHeader(24, 2), "says that it lies at LBA 2"],
    ["no entries", setHeader(80, 0), "has 0 entries"],
    ["a million entries", setHeader(80, 1e6), "has 1000000 entries"],
    ["entries of no size", setHeader(84, 0), "entries of 0 bytes"],
    ["entries of 127 bytes", setHeader(84, 127), "entries of 127 bytes"],
    ["entries of 192 bytes", setHeader(84, 192), "entries of 192 bytes"],
    ["entries of 2 GiB", setHeader(84, 2 ** 31), "entries of 2147483648 bytes"],
    ["entries past the end", setHeader(72, SECTORS - 31), "outside of the disk"],
    ["entries far past the end", setHeader(76, 0xffffffff), "outside of the disk"],
    ["entries at LBA 0", setHeader(72, 0), "at LBA 0, outside"],
    ["a usable sector past 2^53", setHeader(52, 0xffffffff), "beyond 2^53"],
  ])("reads the backup when the primary copy is wrong in %s", async (_, damage, message) => {
    const table = await readDamaged(damage);
    expect(table.usedBackup).toBe(true);
    expect(table.problems).toEqual([expect.stringContaining(message)]);
    expect(table.partitions.map(({ name }) => name)).toEqual(["ESP", "root"]);
  });

  const setBoth =
    (offset: number, value: number) =>
    (image: Uint8Array): void => {
      for (const header of [PRIMARY, BACKUP]) {
        view(image).setUint32(header + offset, value, true);
        sealHeader(image, header);
      }
    };
  const setEntry =
    (offset: number, bytes: readonly number[]) =>
    (image: Uint8Array): void =>
      changeEntries(image, (entries) => entries.set(bytes, offset));
  it.each<[string, Damage, string[]]>([
    ["no backup", (image) => void image.fill(0, BACKUP), ["the backup table is missing"]],
    ["a wrong backup", (image) => void (image[BACKUP + 56]! ^= 1), ["the backup table has a header with"]],
    [
      "wrong backup entries",
      (image) => void (image[BACKUP_ENTRIES]! ^= 1),
      ["the backup table has entries with"],
    ],
    [
      "a larger disk",
      (image) => Uint8Array.from([...image, ...new Uint8Array(512)]),
      ["the backup lies at LBA 255, the disk ends at 256", "covers 255 sectors, it should cover 256"],
    ],
    [
      "a cut disk",
      (image) => image.subarray(0, 200 * 512),
      [
        "the backup lies at LBA 255, the disk ends at 199",
        "the backup table is missing",
        "covers 255 sectors, it should cover 199",
        "lets partitions use LBA 34 to 222, but the disk ends at 199",
      ],
    ],
    [
      "a part of a sector",
      (image) => Uint8Array.from([...image, 0]),
      ["the disk ends with a part of a sector: it has 131073 bytes"],
    ],
    [
      "a backup inside of the primary",
      (image) => {
        view(image).setUint32(PRIMARY + 32, 1, true);
        sealHeader(image, PRIMARY);
      },
      ["says that the backup lies at LBA 1"],
    ],
    [
      "a backup that knows no primary",
      (image) => {
        view(image).setUint32(BACKUP + 32, 2, true);
        sealHeader(image, BACKUP);
      },
      ["the primary lies at LBA 2, not at 1"],
    ],
    [
      "copies with two disk GUIDs",
      (image) => {
        image[BACKUP + 56]! ^= 1;
        sealHeader(image, BACKUP);
      },
      ["the copies differ in the disk GUID"],
    ],
    [
      "copies with two sets of partitions",
      (image) => {
        image[BACKUP_ENTRIES + 56]! ^= 1;
        const entries = image.subarray(BACKUP_ENTRIES, BACKUP_ENTRIES + 16_384);
        view(image).setUint32(BACKUP + 88, crc32(entries), true);
        sealHeader(image, BACKUP);
      },
      ["the copies differ in the partitions"],
    ],
    ["no protective MBR", (image) => void image.fill(0, 0, 512), ["sector 0 does not end in 55 AA"]],
    ["an MBR without 0xee", (image) => void (image[450] = 0x83), ["no partition of type 0xee"]],
    ["a protective MBR from 0", (image) => void (image[454] = 0), ["starts at LBA 0"]],
    [
      "a short protective MBR",
      (image) => void (image[458] = 254),
      ["covers 254 sectors, it should cover 255"],
    ],
    ["a protective MBR of all sectors", (image) => void image.fill(0xff, 458, 462), []],
    [
      "an MBR with a partition that the GPT does not have",
      (image) => {
        image[458] = 63;
        image.set([0, 0, 0, 0, 0xef, 0, 0, 0, 64, 0, 0, 0, 31, 0, 0, 0], 462);
      },
      ["the MBR has a partition of type 0xef at sectors 64 to 94, which the GPT does not have"],
    ],
    [
      "a hybrid MBR whose protective partition comes last",
      (image) => {
        image.copyWithin(494, 446, 462);
        image.set([0, 0, 0, 0, 0xef, 0, 0, 0, 64, 0, 0, 0, 32, 0, 0, 0], 446);
        image[494 + 12] = 63;
      },
      [],
    ],
    [
      "a hybrid MBR that is protected behind its partition too",
      (image) => {
        image.set([0, 0, 0, 0, 0xee, 0, 0, 0, 96, 0, 0, 0, 160, 0, 0, 0], 478);
        image.set([0, 0, 0, 0, 0xef, 0, 0, 0, 64, 0, 0, 0, 32, 0, 0, 0], 462);
        image[458] = 63;
      },
      [],
    ],
    [
      "a hybrid MBR whose protective partition covers the others",
      (image) => void image.set([0, 0, 0, 0, 0xef, 0, 0, 0, 64, 0, 0, 0, 32, 0, 0, 0], 462),
      ["in the MBR the partition of type 0xef (sectors 64 to 95) overlaps that of type 0xee (1 to 255)"],
    ],
    [
      "a hybrid MBR with two active partitions and an entry without a type",
      (image) => {
        image[446] = 0x80;
        image[458] = 63;
        image.set([0x80, 0, 0, 0, 0xef, 0, 0, 0, 64, 0, 0, 0, 32, 0, 0, 0], 462);
        image.set([0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 64, 0, 0, 0], 478);
      },
      [
        "the MBR has an entry with data, but the type 0x00",
        "2 partitions of the MBR are active: only one can be",
      ],
    ],
    [
      "usable sectors in the table",
      setBoth(40, 33),
      ["the entries of the primary table, LBA 2 to 33, lie where partitions can"],
    ],
    [
      "usable sectors in the backup",
      setBoth(48, 255),
      [
        "the entries of the backup table, LBA 223 to 254, lie where",
        "the header of the backup table, LBA 255, lies where",
      ],
    ],
    [
      "a nil disk GUID",
      (image) => {
        for (const header of [PRIMARY, BACKUP]) {
          image.fill(0, header + 56, header + 72);
          sealHeader(image, header);
        }
      },
      ["the disk GUID is nil"],
    ],
    ["an overlap", setEntry(40, [100]), ["partition 2 overlaps partition 1"]],
    ["an end before the start", setEntry(40, [63]), ["partition 1 starts at sector 64, after its last, 63"]],
    ["a start in the table", setEntry(32, [33]), ["partition 1 starts at sector 33, before the first"]],
    ["an end in the backup", setEntry(128 + 40, [223]), ["partition 2 ends at sector 223, after the last"]],
    [
      "an end past the disk",
      setEntry(128 + 40, [0, 1]),
      ["partition 2 ends at sector 256, after", "partition 2 ends at sector 256, the disk at 255"],
    ],
    ["a nil GUID", setEntry(16, Array(16).fill(0)), ["partition 1 has a nil GUID"]],
    [
      "a GUID twice",
      (image) => changeEntries(image, (entries) => entries.copyWithin(128 + 16, 16, 32)),
      [`partition 2 has the GUID of partition 1, ${FIRST_GUID}`],
    ],
    ["a reserved attribute", setEntry(48, [8]), ["partition 1 has the attributes 0x8"]],
    ["a lone surrogate", setEntry(56, [0x3d, 0xd8]), ["partition 1 has half a surrogate pair in its name"]],
  ])("reports %s", async (_, damage, messages) => {
    const table = await readDamaged(damage);
    expect(table.usedBackup).toBe(false);
    expect(table.problems).toEqual(messages.map((message) => expect.stringContaining(message)));
    expect(table.partitions).toHaveLength(2);
  });

  it("leaves out a partition that numbers cannot hold, and says so", async () => {
    const table = await readDamaged(setEntry(40, Array(8).fill(0xff)));
    expect(table.problems).toEqual([expect.stringContaining("64 to 18446744073709551615, beyond 2^53")]);
    expect(table.partitions.map(({ number }) => number)).toEqual([2]);
  });

  it("reads larger entries and headers", async () => {
    const table = await readDamaged((image) => {
      const wide = new Uint8Array(16_384);
      for (const index of [0, 1]) {
        wide.set(image.subarray(ENTRIES + 128 * index, ENTRIES + 128 * (index + 1)), 256 * index);
      }
      setBoth(80, 64)(image);
      setBoth(84, 256)(image);
      setBoth(12, 512)(image);
      changeEntries(image, (entries) => entries.set(wide));
    });
    expect(table).toMatchObject({ problems: [], entryCount: 64, usedBackup: false });
    expect(table.partitions.map(({ name }) => name)).toEqual(["ESP", "root"]);
  });

  it("reads a name of 36 units, and ends others at U+0000", async () => {
    const long = "x".repeat(36);
    const units = Uint8Array.from([...utf8(long)].flatMap((byte) => [byte, 0]));
    const table = await readDamaged(setEntry(56, [...units]));
    expect(table.partitions[0]!.name).toBe(long);
    const cut = await readDamaged(setEntry(56, [...units.with(2, 0)]));
    expect(cut.partitions[0]!.name).toBe("x");
  });

  it("trusts neither copy when both are damaged", async () => {
    const image = await sound();
    image[PRIMARY + 56]! ^= 1;
    image[BACKUP_ENTRIES]! ^= 1;
    const reading = readGpt(bytesSource(image));
    await expect(reading).rejects.toMatchObject({
      code: "CORRUPT",
      problems: [
        expect.stringContaining("the primary table has a header"),
        expect.stringContaining("the backup"),
      ],
    });
  });

  it("reads a disk that has lost its start", async () => {
    const table = await readDamaged((image) => void image.fill(0, 0, 34 * 512));
    expect(table.usedBackup).toBe(true);
    expect(table.problems).toEqual([
      expect.stringContaining("the primary table is missing"),
      expect.stringContaining("the protective MBR is missing"),
    ]);
    expect(table.partitions).toHaveLength(2);
  });
});
