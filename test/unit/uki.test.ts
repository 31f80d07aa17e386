import { describe, expect, it } from "vitest";
import { peSections, planUki, readUki, type UkiSpec } from "../../src/boot/index.ts";
import { utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError, type ErrorCode } from "../../src/errors.ts";
import { bytesContent, bytesSource, type Content, contentBytes } from "../../src/extents/index.ts";
import { efiStub, STUB_OFFSETS } from "../support/efi-stub.ts";
import { patterned, patternedBytes } from "../support/trees.ts";

const text = (value: string): Content => bytesContent(utf8(value));
const spec: UkiSpec = { stub: efiStub(), kernel: text("the kernel") };

function refusal(work: () => unknown): { code: ErrorCode; message: string } {
  try {
    work();
  } catch (error) {
    if (error instanceof DiskwrightError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Contents of sections by name. */
function contents(file: Uint8Array): Record<string, string> {
  return Object.fromEntries(
    peSections(file).map(({ name, position, size }) => [
      name,
      Buffer.from(file.subarray(position, position + size)).toString("latin1"),
    ]),
  );
}

describe("a unified kernel image", () => {
  it("has all that it was given in sections of their names", async () => {
    const { machine, sections, content } = planUki({
      ...spec,
      commandLine: "quiet root=LABEL=ü",
      osRelease: text('ID=test\nPRETTY_NAME="A test"\n'),
      uname: "6.1.0-test",
      initrds: [text("first"), text("second"), text("last")],
      splash: text("BM…"),
      deviceTree: text("tree"),
    });
    const file = await contentBytes(content, undefined);
    expect(machine).toBe("x86-64");
    expect(peSections(file)).toEqual(sections);
    expect(Object.entries(contents(file))).toEqual([
      [".text", "code"],
      [".data", "data of the stub"],
      [".osrel", 'ID=test\nPRETTY_NAME="A test"\n'],
      [".cmdline", Buffer.from("quiet root=LABEL=ü").toString("latin1")],
      [".uname", "6.1.0-test"],
      // A kernel looks for the next archive at a multiple of four bytes.
      [".initrd", "first\0\0\0second\0\0last"],
      [".splash", Buffer.from("BM…").toString("latin1")],
      [".dtb", "tree"],
      [".linux", "the kernel"],
    ]);
    expect(await readUki(bytesSource(file))).toEqual({
      machine: "x86-64",
      osRelease: 'ID=test\nPRETTY_NAME="A test"\n',
      uname: "6.1.0-test",
      commandLine: "quiet root=LABEL=ü",
      sections,
    });
  });

  it("has what is optional only when it is given", async () => {
    const file = await contentBytes(planUki(spec).content, undefined);
    expect(Object.keys(contents(file))).toEqual([".text", ".data", ".linux"]);
    expect(await readUki(bytesSource(file))).toMatchObject({
      osRelease: undefined,
      uname: undefined,
      commandLine: undefined,
    });
  });

  it("is laid out on the boundaries that its stub asks for", async () => {
    const { sections, content } = planUki({ ...spec, initrds: [patterned(5000, 1)] });
    const [initrd, linux] = sections.slice(-2);
    // The stub ends at byte 2048 of the file and 0x3210 of the memory.
    expect(initrd).toEqual({
      name: ".initrd",
      position: 2048,
      size: 5000,
      storedSize: 5120,
      virtualAddress: 0x4000,
      virtualSize: 5000,
    });
    expect(linux).toMatchObject({ position: 7168, storedSize: 512, virtualAddress: 0x6000, virtualSize: 10 });
    const file = await contentBytes(content, undefined);
    expect(file.length).toBe(7680);
    expect(Buffer.compare(file.subarray(2048, 7048), patternedBytes(5000, 1))).toBe(0);
    expect(file.subarray(7048, 7168).every((byte) => byte === 0)).toBe(true);
    const view = new DataView(file.buffer);
    const { coff, optional } = STUB_OFFSETS;
    expect(view.getUint16(coff + 2, true)).toBe(4);
    expect(view.getUint32(optional + 4, true)).toBe(512 + 512);
    expect(view.getUint32(optional + 8, true)).toBe(512 + 5120);
    expect(view.getUint32(optional + 56, true)).toBe(0x6200);
    expect(view.getUint32(optional + 64, true)).toBe(0);
    // Data that is read; code that is read and run.
    const characteristics = [2, 3].map((index) =>
      view.getUint32(STUB_OFFSETS.sections + 40 * index + 36, true),
    );
    expect(characteristics).toEqual([0x40000040, 0x60000020]);
  });

  it("is the stub where nothing was added", async () => {
    const file = await contentBytes(planUki(spec).content, undefined);
    const stub = efiStub();
    const changed = [...stub.keys()].filter((at) => stub[at] !== file[at]);
    const { coff, optional, sections } = STUB_OFFSETS;
    const allowed = (at: number): boolean =>
      (at >= coff && at < optional + 68) || (at >= sections + 80 && at < sections + 120);
    expect(changed.filter((at) => !allowed(at))).toEqual([]);
  });

  it("has no symbols of its stub", async () => {
    const stub = Buffer.concat([efiStub(), utf8("symbols and their names")]);
    stub.writeUInt32LE(2048, STUB_OFFSETS.coff + 8);
    stub.writeUInt32LE(1, STUB_OFFSETS.coff + 12);
    const { content } = planUki({ ...spec, stub });
    const file = Buffer.from(await contentBytes(content, undefined));
    expect(file.equals(await contentBytes(planUki(spec).content, undefined))).toBe(true);
  });

  it("keeps what lies behind the sections of its stub", async () => {
    const stub = Buffer.concat([efiStub(), utf8("something else")]);
    const { sections, content } = planUki({ ...spec, stub });
    expect(sections.at(-1)?.position).toBe(2560);
    const file = Buffer.from(await contentBytes(content, undefined));
    expect(file.subarray(2048, 2062).toString()).toBe("something else");
  });

  it.each([
    ["ia32", 0x14c],
    ["x86-64", 0x8664],
    ["aarch64", 0xaa64],
    ["riscv64", 0x5064],
  ] as const)("is for the machine of its stub: %s", (machine, code) => {
    expect(planUki({ ...spec, stub: efiStub({ machine: code }) }).machine).toBe(machine);
  });

  it("reads nothing to be planned, however large its parts are", () => {
    const never: Content = {
      type: "function",
      size: 2 ** 31,
      read: () => {
        throw new Error("it was read");
      },
    };
    const { content } = planUki({ ...spec, kernel: never });
    expect(content.size).toBe(2 ** 31 + 2048);
    expect(content.parts).toContain(never);
    expect(refusal(() => planUki({ ...spec, kernel: never, initrds: [never] }))).toEqual({
      code: "DOES_NOT_FIT",
      message: expect.stringContaining("less than 4 GiB are possible"),
    });
  });

  it.each<[string, Partial<UkiSpec>, string]>([
    ["that is signed", { stub: efiStub({ isSigned: true }) }, "the stub is signed"],
    [
      "for another subsystem",
      { stub: efiStub({ subsystem: 3 }) },
      "the subsystem 3, not an EFI application (10)",
    ],
    ["for another machine", { stub: efiStub({ machine: 0x1234 }) }, "the machine 0x1234"],
    ["that has a kernel", { stub: efiStub({ names: [".text", ".linux"] }) }, "has .linux already"],
    [
      "without room",
      { stub: efiStub({ room: 1 }), uname: "6" },
      "has room for 1 more sections, 2 are to be added",
    ],
    ["with something in its room", { stub: efiStub({ isRoomTaken: true }) }, "has room for 0 more sections"],
  ])("is refused with a stub %s", (_, change, reason) => {
    expect(refusal(() => planUki({ ...spec, ...change }))).toEqual({
      code: "INVALID_SPEC",
      message: expect.stringContaining(reason),
    });
  });

  it("is refused with all that is wrong with its parts", () => {
    const empty = text("");
    const { code, message } = refusal(() =>
      planUki({ ...spec, kernel: empty, initrds: [empty], commandLine: "a\nb", uname: "a\0" }),
    );
    expect(code).toBe("INVALID_SPEC");
    expect(message.split("\n").slice(1)).toEqual([
      '  the command line "a\\nb" is not one line',
      '  the kernel\'s release "a\\u0000" is not one line',
      "  what goes into .initrd is empty: leave it out",
      "  what goes into .linux is empty: leave it out",
    ]);
  });

  it.each([0, 3, 2 ** 20])("is refused with sections at multiples of %d bytes of the file", (alignment) => {
    const stub = efiStub();
    new DataView(stub.buffer).setUint32(STUB_OFFSETS.optional + 36, alignment, true);
    expect(refusal(() => planUki({ ...spec, stub }))).toEqual({
      code: "CORRUPT",
      message: expect.stringContaining(`aligns sections in the file to ${alignment} bytes`),
    });
  });
});

describe("an executable of EFI", () => {
  const changed = (change: (view: DataView, bytes: Uint8Array) => void): Uint8Array => {
    const stub = efiStub();
    change(new DataView(stub.buffer), stub);
    return stub;
  };
  const { coff, optional, sections } = STUB_OFFSETS;
  it.each<[string, Uint8Array, ErrorCode, string]>([
    ["that is empty", new Uint8Array(0), "UNSUPPORTED_IMAGE", "no executable of EFI"],
    [
      "of DOS",
      changed((view) => view.setUint32(coff - 4, 0, true)),
      "UNSUPPORTED_IMAGE",
      "no executable of EFI",
    ],
    [
      "whose headers are nowhere",
      changed((view) => view.setUint32(0x3c, 0xffffffff, true)),
      "UNSUPPORTED_IMAGE",
      "no executable",
    ],
    [
      "of another kind",
      changed((view) => view.setUint16(optional, 0x107, true)),
      "CORRUPT",
      "magic number 0x107",
    ],
    [
      "that ends in its first header",
      efiStub().subarray(0, coff + 10),
      "CORRUPT",
      "COFF header ends at byte",
    ],
    [
      "that ends in its table",
      efiStub().subarray(0, sections + 79),
      "CORRUPT",
      "table of sections ends at byte",
    ],
    [
      "with a short header",
      changed((view) => view.setUint16(coff + 16, 60, true)),
      "CORRUPT",
      "has 60 bytes",
    ],
    [
      "with a header too short for its directories",
      changed((view) => view.setUint16(coff + 16, 100, true)),
      "CORRUPT",
      "has 100 bytes",
    ],
    [
      "with too many sections",
      changed((view) => view.setUint16(coff + 2, 1001, true)),
      "CORRUPT",
      "1001 sections",
    ],
    [
      "that was cut off",
      efiStub().subarray(0, 2047),
      "CORRUPT",
      "section .data ends at byte 2048, the file at 2047",
    ],
  ])("%s is refused", (_, bytes, code, reason) => {
    expect(refusal(() => peSections(bytes))).toEqual({ code, message: expect.stringContaining(reason) });
  });

  it("with 32 bits is read as well", () => {
    const stub = efiStub({ machine: 0x14c, isSigned: true });
    expect(peSections(stub).map(({ name }) => name)).toEqual([".text", ".data"]);
    expect(refusal(() => planUki({ ...spec, stub }))).toMatchObject({ code: "INVALID_SPEC" });
  });

  it("is no unified kernel image without a kernel in it, nor is anything else", async () => {
    expect(await readUki(bytesSource(efiStub()))).toBeUndefined();
    expect(await readUki(bytesSource(utf8("something else")))).toBeUndefined();
    expect(await readUki(bytesSource(new Uint8Array(0)))).toBeUndefined();
  });

  it("may have a NUL behind its texts, but no text that is none", async () => {
    const image = async (release: Uint8Array): Promise<Uint8Array> =>
      contentBytes(planUki({ ...spec, osRelease: bytesContent(release) }).content, undefined);
    expect(await readUki(bytesSource(await image(utf8("ID=a\n\0\0"))))).toMatchObject({
      osRelease: "ID=a\n",
    });
    await expect(readUki(bytesSource(await image(Uint8Array.of(0xff))))).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining(".osrel is no UTF-8 text"),
    });
    await expect(readUki(bytesSource(await image(new Uint8Array(2 ** 20 + 1))))).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("1,048,576 bytes are read"),
    });
  });
});
