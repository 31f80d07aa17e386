import { describe, expect, it } from "vitest";
import { addBootEntry, bootEntries, deleteBootEntry, openVariables } from "../../src/boot/index.ts";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError, type ErrorCode } from "../../src/errors.ts";
import {
  authenticatedRecord,
  emptyFlash,
  FIRST_RECORD,
  flashWith,
  sealVolume,
} from "../support/efi-variables.ts";

const VENDOR = "4c19049f-4137-4dd3-9c10-8b97a83ffdfa";
const gpt = { number: 1, firstLba: 2048, sectors: 81_920, guid: "b3a1f3c2-0d54-4a3d-9a0e-3f1f3d5a7b11" };
const mbr = { number: 2, firstLba: 4096, sectors: 8192, signature: 0xcafe1234 };
const loader = { title: "Loader", path: "/EFI/systemd/systemd-bootx64.efi", partition: gpt };

function refusal(work: () => unknown): { code: ErrorCode; message: string } {
  try {
    work();
  } catch (error) {
    if (error instanceof DiskwrightError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The bytes of hexadecimal text. */
function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}

describe("the variables of firmware", () => {
  it("are stored as EDK II stores them", () => {
    const variables = openVariables(emptyFlash());
    variables.set("Ab", utf8("data!"));
    const bytes = variables.toBytes();
    const expected = emptyFlash();
    expected.set(
      hexBytes(`
        aa55 3f 00 07000000 0000000000000000 00000000000000000000000000000000 00000000
        06000000 05000000 61dfe48bca93d211aa0d00e098032b8c
        4100 6200 0000 6461746121`),
      FIRST_RECORD,
    );
    expect(Buffer.compare(bytes, expected)).toBe(0);
  });

  it("are stored without what authenticates them in a plain store", () => {
    const variables = openVariables(emptyFlash({ format: "plain" }));
    variables.set("Ab", utf8("data!"), { attributes: 3 });
    expect(variables.format).toBe("plain");
    const expected = emptyFlash({ format: "plain" });
    expected.set(
      hexBytes(`
        aa55 3f 00 03000000 06000000 05000000 61dfe48bca93d211aa0d00e098032b8c
        4100 6200 0000 6461746121`),
      FIRST_RECORD,
    );
    expect(Buffer.compare(variables.toBytes(), expected)).toBe(0);
    expect([...openVariables(expected).entries()]).toEqual([...variables.entries()]);
  });

  it("are set, replaced in their place, and deleted", () => {
    const variables = openVariables(emptyFlash());
    variables.set("One", utf8("1"));
    variables.set("One", utf8("of another vendor"), { vendor: VENDOR.toUpperCase(), attributes: 3 });
    variables.set("Two", utf8("2"));
    variables.set("One", utf8("first"));
    expect(variables.get("One")?.data).toEqual(utf8("first"));
    expect(variables.get("One", VENDOR)).toEqual({
      name: "One",
      vendor: VENDOR,
      attributes: 3,
      data: utf8("of another vendor"),
    });
    expect(variables.get("one")).toBeUndefined();
    expect(variables.delete("Two")).toBe(true);
    expect(variables.delete("Two")).toBe(false);
    expect([...openVariables(variables.toBytes()).entries()]).toEqual([
      { name: "One", vendor: "8be4df61-93ca-11d2-aa0d-00e098032b8c", attributes: 7, data: utf8("first") },
      { name: "One", vendor: VENDOR, attributes: 3, data: utf8("of another vendor") },
    ]);
  });

  it("leave the bytes that they were opened from alone", () => {
    const flash = emptyFlash();
    const data = utf8("data");
    const variables = openVariables(flash);
    variables.set("Name", data);
    variables.toBytes();
    data.fill(0);
    expect(Buffer.compare(flash, emptyFlash())).toBe(0);
    expect(variables.get("Name")?.data).toEqual(utf8("data"));
  });

  it("are what counts of the records: not what is deleted or incomplete", () => {
    const record = (name: string, state: number, text = name) =>
      authenticatedRecord({ name, state, data: utf8(text) });
    const begun = record("begun", 0xff).subarray(0, 60);
    const flash = flashWith([
      record("deleted", 0x3d),
      record("replaced", 0x3c),
      record("header only", 0x7f),
      record("both", 0x3e, "old"),
      record("both", 0x3f, "new"),
      record("twice", 0x3f, "first"),
      record("twice", 0x3f, "second"),
      record("being replaced", 0x3e),
      record("kept", 0x3f),
      begun,
    ]);
    const variables = openVariables(flash);
    const seen = Object.fromEntries(
      [...variables.entries()].map(({ name, data }) => [name, Buffer.from(data).toString()]),
    );
    expect(seen).toEqual({ both: "new", twice: "first", "being replaced": "being replaced", kept: "kept" });
    const compact = flashWith([
      record("both", 0x3f, "new"),
      record("twice", 0x3f, "first"),
      record("being replaced", 0x3f),
      record("kept", 0x3f),
    ]);
    expect(Buffer.compare(variables.toBytes(), compact)).toBe(0);
  });

  it("keep their signed ones as they are", () => {
    const time = hexBytes("e907030a02351e000000000000000000");
    const key = authenticatedRecord({ name: "PK", data: utf8("a key"), attributes: 0x27, time });
    const variables = openVariables(flashWith([key]));
    variables.set("Other", utf8("x"));
    const bytes = variables.toBytes();
    expect(Buffer.compare(bytes.subarray(FIRST_RECORD, FIRST_RECORD + key.length), key)).toBe(0);
    const refused = {
      code: "INVALID_SPEC",
      message: expect.stringContaining('"PK": each write of it is signed'),
    };
    expect(refusal(() => variables.set("PK", utf8("mine")))).toEqual(refused);
    expect(refusal(() => variables.delete("PK"))).toEqual(refused);
  });

  it("may fill the store to its last byte", () => {
    // A record of 60 bytes and a name of 8.
    const room = FIRST_RECORD + 68 + 32 - 72;
    const variables = openVariables(emptyFlash({ storeSize: room }));
    expect(variables.capacity).toBe(100);
    variables.set("abc", new Uint8Array(32));
    expect(variables.used).toBe(100);
    variables.set("abc", new Uint8Array(31));
    expect(openVariables(variables.toBytes()).get("abc")?.data.length).toBe(31);
    expect(refusal(() => variables.set("abc", new Uint8Array(33)))).toEqual({
      code: "DOES_NOT_FIT",
      message: expect.stringContaining('"abc" does not fit: it takes 104 bytes, the others take 0 of 100.'),
    });
    expect(refusal(() => variables.set("d", new Uint8Array(1)))).toMatchObject({ code: "DOES_NOT_FIT" });
    expect(variables.get("abc")?.data.length).toBe(31);
  });

  it.each([
    ["", utf8("x"), {}, "a name has characters"],
    ["a\0b", utf8("x"), {}, "no NUL"],
    ["a", new Uint8Array(0), {}, "delete it"],
    ["a", utf8("x"), { attributes: 6 }, "attributes 0x6: use 0x7, or 0x3"],
    ["a", utf8("x"), { attributes: 0x27 }, "attributes 0x27"],
    ["a", utf8("x"), { vendor: "nobody" }, "is not a GUID"],
  ])("refuse the name %j with data %j and %j", (name, data, options, reason) => {
    const variables = openVariables(emptyFlash());
    expect(refusal(() => variables.set(name, data, options))).toEqual({
      code: "INVALID_SPEC",
      message: expect.stringContaining(reason),
    });
  });
});

describe("flash memory is refused", () => {
  const sealed = (change: (flash: Uint8Array, view: DataView) => void): Uint8Array => {
    const flash = flashWith([authenticatedRecord({ name: "A", data: utf8("1") })]);
    change(flash, new DataView(flash.buffer));
    sealVolume(flash);
    return flash;
  };
  const cases: [string, Uint8Array, ErrorCode, string][] = [
    ["when it is empty", new Uint8Array(0), "UNSUPPORTED_IMAGE", "does not start with a firmware volume"],
    ["when it is blank", new Uint8Array(0x10000), "UNSUPPORTED_IMAGE", "OVMF_VARS_4M.fd"],
    ["when it is the firmware", sealed((f) => f.fill(7, 16, 32)), "UNSUPPORTED_IMAGE", "holds no variables"],
    [
      "when it is erased to zeros",
      sealed((_, v) => v.setUint32(44, 0x4f6ff, true)),
      "UNSUPPORTED_IMAGE",
      "zeros",
    ],
    ["when it is cut off", emptyFlash().subarray(0, 0xffff), "CORRUPT", "65536 bytes, the file 65535"],
    ["with a header of 40 bytes", sealed((_, v) => v.setUint16(48, 40, true)), "CORRUPT", "40 bytes"],
    ["with a header of odd length", sealed((_, v) => v.setUint16(48, 73, true)), "CORRUPT", "73 bytes"],
    [
      "with a volume that is its header",
      sealed((_, v) => v.setBigUint64(32, 72n, true)),
      "CORRUPT",
      "no room",
    ],
    ["with another format of store", sealed((f) => f.fill(1, 72, 88)), "UNSUPPORTED_IMAGE", "01010101-0101"],
    ["that is not formatted", sealed((f) => f.fill(0xff, 92, 93)), "CORRUPT", "marked 0xff, 0xfe"],
    [
      "with a store larger than it",
      sealed((_, v) => v.setUint32(88, 0x10000, true)),
      "CORRUPT",
      "ends at byte",
    ],
    ["with a store less than its header", sealed((_, v) => v.setUint32(88, 27, true)), "CORRUPT", "27 bytes"],
    [
      "with a record beyond the store",
      sealed((_, v) => v.setUint32(FIRST_RECORD + 40, 0xffffffff, true)),
      "CORRUPT",
      "the record at byte 0x64",
    ],
    [
      "with a name of odd size",
      sealed((_, v) => v.setUint32(FIRST_RECORD + 36, 3, true)),
      "CORRUPT",
      "name of the record",
    ],
    [
      "with a name without end",
      sealed((f) => f.fill(0x41, FIRST_RECORD + 60, FIRST_RECORD + 64)),
      "CORRUPT",
      "name of the record",
    ],
    [
      "with an empty name",
      sealed((f) => f.fill(0, FIRST_RECORD + 60, FIRST_RECORD + 64)),
      "CORRUPT",
      "name of the record",
    ],
    [
      "with a record whose start is damaged",
      sealed((f) => f.fill(0, FIRST_RECORD, FIRST_RECORD + 1)),
      "CORRUPT",
      "not erased",
    ],
  ];
  it.each(cases)("%s", (_, flash, code, reason) => {
    expect(refusal(() => openVariables(flash))).toEqual({ code, message: expect.stringContaining(reason) });
  });

  it("when the sum of its header is wrong", () => {
    const flash = emptyFlash();
    flash[52] = 1;
    expect(refusal(() => openVariables(flash))).toEqual({
      code: "CORRUPT",
      message: expect.stringContaining("add up to 0x1 in place of 0"),
    });
  });
});

describe("boot entries", () => {
  it("are stored as the firmware's boot manager stores them", () => {
    const variables = openVariables(emptyFlash());
    addBootEntry(variables, { title: "L", path: "/a.efi", partition: gpt, commandLine: "-v" });
    expect(variables.get("Boot0000")?.data).toEqual(
      hexBytes(`
        01000000 4000 4c000000
        04012a00 01000000 0008000000000000 0040010000000000 c2f3a1b3540d3d4a9a0e3f1f3d5a7b11 02 02
        04041200 5c0061002e006500660069000000
        7fff0400
        2d007600`),
    );
    expect(variables.get("BootOrder")?.data).toEqual(Uint8Array.of(0, 0));
    addBootEntry(variables, { title: "M", path: "/b", partition: mbr });
    expect(variables.get("Boot0001")?.data.subarray(10, 52)).toEqual(
      hexBytes("04012a00 02000000 0010000000000000 0020000000000000 3412feca000000000000000000000000 01 01"),
    );
  });

  it("are read as they were added", () => {
    const variables = openVariables(emptyFlash());
    addBootEntry(variables, { ...loader, commandLine: "quiet" });
    addBootEntry(variables, { title: "Second ü 𝄞", path: "/x", partition: mbr, first: false });
    const node = (partition: unknown, path: string): unknown => [
      [
        { type: "partition", partition },
        { type: "file", path },
      ],
    ];
    expect(bootEntries(openVariables(variables.toBytes()))).toEqual([
      {
        number: 0,
        isOrdered: true,
        option: {
          attributes: 1,
          description: "Loader",
          paths: node(gpt, "\\EFI\\systemd\\systemd-bootx64.efi"),
          data: Uint8Array.from(Buffer.from("quiet", "utf16le")),
        },
      },
      {
        number: 1,
        isOrdered: true,
        option: {
          attributes: 1,
          description: "Second ü 𝄞",
          paths: node(mbr, "\\x"),
          data: new Uint8Array(0),
        },
      },
    ]);
  });

  /** The numbers of all entries in their order. */
  function order(variables: ReturnType<typeof openVariables>): string {
    return bootEntries(variables)
      .map(({ number, isOrdered }) => (isOrdered ? String(number) : `(${number})`))
      .join(" ");
  }

  it("take the lowest free number, first or last, and are not doubled", () => {
    const variables = openVariables(emptyFlash());
    const entry = (title: string, first?: boolean): number =>
      addBootEntry(variables, { ...loader, title, first });
    expect([entry("a"), entry("b"), entry("c", false)]).toEqual([0, 1, 2]);
    expect(order(variables)).toBe("1 0 2");
    expect(entry("c")).toBe(2);
    expect(order(variables)).toBe("2 1 0");
    expect(entry("c", false)).toBe(2);
    expect(order(variables)).toBe("1 0 2");
    expect(deleteBootEntry(variables, 1)).toBe(true);
    expect(deleteBootEntry(variables, 1)).toBe(false);
    expect(order(variables)).toBe("0 2");
    expect(entry("d")).toBe(1);
    expect(order(variables)).toBe("1 0 2");
    for (const number of [0, 1, 2]) deleteBootEntry(variables, number);
    expect([...variables.entries()]).toEqual([]);
  });

  it("that are in no order, or only there, are told so", () => {
    const variables = openVariables(emptyFlash());
    for (let number = 0; number <= 10; number++) addBootEntry(variables, { ...loader, title: `${number}` });
    expect(variables.get("Boot000A")).toBeDefined();
    variables.set("BootOrder", Uint8Array.of(3, 0, 9, 9, 3, 0, 1, 0));
    expect(order(variables)).toBe("3 1 (0) (2) (4) (5) (6) (7) (8) (9) (10)");
    // A number that is in the order before its entry is there moves to the place of the entry.
    variables.set("BootOrder", Uint8Array.of(0, 0, 11, 0));
    addBootEntry(variables, { ...loader, title: "new" });
    expect(order(variables)).toBe("11 0 (1) (2) (3) (4) (5) (6) (7) (8) (9) (10)");
  });

  it.each([
    [{ path: "EFI/BOOT/BOOTX64.EFI" }, "from the root of its partition"],
    [{ path: "\\EFI\\BOOT\\BOOTX64.EFI" }, "from the root of its partition"],
    [{ path: "/EFI/" }, "from the root of its partition"],
    [{ path: "/a\0b" }, "from the root of its partition"],
    [{ path: `/${"a".repeat(40_000)}` }, "use a shorter path"],
    [{ path: `/${"a".repeat(32_750)}` }, "65535 are possible"],
    [{ title: "a\0b" }, "has a NUL"],
    [{ partition: { ...gpt, guid: "none" } }, "is not a GUID"],
  ])("are refused with %j", (change, reason) => {
    const variables = openVariables(emptyFlash());
    expect(refusal(() => addBootEntry(variables, { ...loader, ...change }))).toEqual({
      code: "INVALID_SPEC",
      message: expect.stringContaining(reason),
    });
    expect([...variables.entries()]).toEqual([]);
  });

  it.each([
    ["BootOrder", "000001", "BootOrder has 3 bytes"],
    ["Boot0000", "0100", "has 2 bytes"],
    ["Boot0000", "01000000 0400 4c00", "description without an end"],
    ["Boot0000", "01000000 0500 4c000000 7fff0400", "paths that end at byte 15"],
    ["Boot0000", "01000000 0300 4c000000 7fff04", "ends within the node"],
    ["Boot0000", "01000000 0400 4c000000 7fff0300", "a node of 3 bytes"],
    ["Boot0000", "01000000 0400 4c000000 7fff0500", "a node of 5 bytes"],
    ["Boot0000", "01000000 0400 4c000000 04040400", "has no end"],
  ])("are refused when %s is %s", (name, bytes, reason) => {
    const variables = openVariables(emptyFlash());
    variables.set(name, hexBytes(bytes));
    expect(refusal(() => bootEntries(variables))).toEqual({
      code: "CORRUPT",
      message: expect.stringContaining(reason),
    });
  });

  it("keep nodes that are not known, or have more in them, as they are", () => {
    const variables = openVariables(emptyFlash());
    const pci = hexBytes("010106000001");
    const oddFile = hexBytes("0404 0a00 4100 0000 4200");
    const oddDisk = hexBytes(
      "04012a00 02000000 0010000000000000 0020000000000000 3412feca000000000000000000000001 01 01",
    );
    const endlessDisk = hexBytes(
      "04012a00 02000000 0010000000000000 ffffffffffffffff 3412feca000000000000000000000000 01 01",
    );
    const nodes = [pci, oddFile, oddDisk, endlessDisk];
    const paths = Buffer.concat([...nodes, hexBytes("7fff0400 7fff0400")]);
    const header = hexBytes("01000000 0000 41000000");
    header[4] = paths.length;
    variables.set("Boot0007", Buffer.concat([header, paths]));
    expect(bootEntries(variables)[0]?.option.paths).toEqual([
      nodes.map((bytes) => ({ type: "other", bytes })),
      [],
    ]);
  });
});
