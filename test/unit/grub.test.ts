import { describe, expect, it } from "vitest";
import { checkMemory, corePayload } from "../../src/boot/grub/core-image.ts";
import { readEfiImage } from "../../src/boot/grub/efi-image.ts";
import { kernelBytes } from "../../src/boot/grub/kernel.ts";
import { kernelOptions } from "../../src/boot/grub/kernel-options.ts";
import { inOrderOfNeed, moduleDependencies } from "../../src/boot/grub/modules.ts";
import { placeableCore } from "../../src/boot/grub/place.ts";
import { quotedWord } from "../../src/boot/grub/quote.ts";
import { bootImage, decompressorHeader, diskbootImage } from "../../src/boot/grub/structures.ts";
import {
  type BootContext,
  type BootInstallation,
  type EfiProgram,
  type GrubOptions,
  grubProblems,
  grubWarnings,
  installGrub,
  type LinuxEntry,
} from "../../src/boot/index.ts";
import { utf8 } from "../../src/bytes/index.ts";
import type { DoesNotFitError } from "../../src/errors.ts";
import { bytesContent } from "../../src/extents/index.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";
import { biosFiles, bootImg, diskbootImg, efiImg, kernelImg } from "../support/grub-files.ts";

const ROOT_UUID = "0f1e2d3c-4b5a-4968-8776-655443322110";
const ESP_UUID = "ABCD-1234";
const GRUB = "/usr/lib/grub";

const FILES: readonly Entry[] = [
  { path: "/boot/vmlinuz-1", type: "file", content: "kernel" },
  { path: "/boot/initrd-1", type: "file", content: "initrd" },
  { path: "/vmlinuz", type: "symlink", target: "boot/vmlinuz-1" },
];

const ENTRY: LinuxEntry = {
  id: "one",
  title: "Linux 1",
  linux: "/boot/vmlinuz-1",
  initrds: ["/boot/initrd-1"],
  options: "root=UUID=x ro",
};

const EFI_FILE: Entry = {
  path: `${GRUB}/x86_64-efi/monolithic/grubx64.efi`,
  type: "file",
  content: efiImg("/EFI/debian"),
};

function context(changes: Partial<BootContext> & { readonly more?: readonly Entry[] } = {}): BootContext {
  const { more = [...biosFiles(GRUB), EFI_FILE], ...rest } = changes;
  return {
    tree: treeOf([...FILES, ...more]),
    reader: undefined,
    table: "mbr",
    sectorSize: 512,
    esp: undefined,
    xbootldr: undefined,
    rootUuid: ROOT_UUID,
    rootDevice: "PARTUUID=x",
    time: undefined,
    ...rest,
  };
}

const HYBRID: Partial<BootContext> = {
  table: "gpt",
  biosRoom: 2 ** 20,
  esp: "/boot",
  volumes: [{ mount: "/boot", type: "fat", uuid: ESP_UUID }],
};

function install(
  changes: Parameters<typeof context>[0] = {},
  options: Partial<GrubOptions> = {},
): Promise<BootInstallation> {
  return installGrub(context(changes), { entries: [ENTRY], ...options });
}

function text({ files }: BootInstallation, path: string): string {
  const content = files.find((file) => file.path === path)?.content;
  if (content?.type !== "bytes") throw new Error(`${path} is not there`);
  return new TextDecoder().decode(content.bytes);
}

const menu = async (...given: Parameters<typeof install>): Promise<string> =>
  text(await install(...given), "/boot/grub/grub.cfg");

describe("GRUB for the BIOS", () => {
  it("is placed for an MBR, with its modules in /boot/grub", async () => {
    const { raw, files, efiEntries, warnings } = await install();
    expect({ efiEntries, warnings, size: raw!.size % 512 }).toEqual({
      efiEntries: [],
      warnings: [],
      size: 0,
    });
    const paths = files.map(({ path }) => path);
    expect(paths).toContain("/boot/grub/grub.cfg");
    expect(paths).toContain("/boot/grub/i386-pc/linux.mod");
    expect(paths).toContain("/boot/grub/i386-pc/command.lst");
    expect(paths.filter((path) => path.endsWith(".img"))).toEqual([]);
  });

  it("patches what says where the core image lies, and nothing else", async () => {
    const { raw } = await install();
    const { bootCode, core } = raw!.placedAt(0x123456789a);
    expect(bootCode.length).toBe(440);
    const expected = bootImg().slice(0, 440);
    expected.fill(0, 0x3, 0x5a);
    expected.set([0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0xff, 0xfa, 0x90, 0x90], 0x5c);
    expect(bootCode).toEqual(expected);
    const sectors = raw!.size / 512;
    const first = diskbootImg();
    first.set([0x9b, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, sectors - 1, 0, 0x20, 0x08], 500);
    expect(core.subarray(0, 512)).toEqual(first);
  });

  it("has the same size and content wherever it lies", async () => {
    const { raw } = await install();
    const [at1, at34] = [raw!.placedAt(1), raw!.placedAt(34)];
    expect(at1.core.length).toBe(raw!.size);
    expect(at34.core.subarray(512)).toEqual(at1.core.subarray(512));
    expect(raw!.placedAt(1)).toEqual(at1);
    expect(() => raw!.placedAt(0)).toThrow(RangeError);
    expect(() => raw!.placedAt(1.5)).toThrow(RangeError);
  });

  it("says the sizes of what it unpacks, and no Reed-Solomon code", async () => {
    const { raw } = await install();
    const header = decompressorHeader.fromBytes(raw!.placedAt(1).core, 512);
    expect(header.redundancy).toBe(0);
    expect(header.uncoveredLength).toBe(0x75b);
    expect(header.packedSize).toBeLessThan(raw!.size);
    expect(header.unpackedSize).toBeGreaterThan(100);
  });

  it("fills its room to the last byte, and says how many are missing", async () => {
    const { raw } = await install();
    await expect(install({ biosRoom: raw!.size })).resolves.toBeDefined();
    const gap = install({ biosRoom: raw!.size - 512 });
    await expect(gap).rejects.toThrow(/the gap between the MBR and the first partition has .*1 MiB/);
    await expect(gap).rejects.toMatchObject({
      code: "DOES_NOT_FIT",
      missingBytes: 512,
    } satisfies Partial<DoesNotFitError>);
    const partition = install({ table: "gpt", biosRoom: 512 });
    await expect(partition).rejects.toThrow(/the BIOS boot partition has 512 bytes/);
  });

  it("is refused when it is larger than the memory of a BIOS", () => {
    // grub-mkimage: 0x9000 and the image end at 0x78000 at the latest.
    checkMemory(0x6f000, ["ext2"]);
    expect(() => checkMemory(0x6f001, ["ext2", "fat"])).toThrow(
      /memory for it: leave modules out of ext2 fat/,
    );
    expect(() => checkMemory(0x6f001, [])).toThrow(expect.objectContaining({ missingBytes: 1 }));
  });

  it("is refused with sectors of 4096 bytes", async () => {
    await expect(install({ sectorSize: 4096 })).rejects.toThrow(/sectors of 4096 bytes.*INT 13h/);
  });

  it("names every file that is missing, with the directory", async () => {
    const more = biosFiles(GRUB, { "boot.img": null, "diskboot.img": null });
    await expect(install({ more })).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      path: "/usr/lib/grub/i386-pc",
      problems: ["boot.img is missing", "diskboot.img is missing"],
    });
    const modules = biosFiles(GRUB, { "ext2.mod": null, "fshelp.mod": null });
    await expect(install({ more: modules })).rejects.toMatchObject({
      problems: ["fshelp.mod is missing", "ext2.mod is missing"],
    });
  });

  it("names every module that moddep.lst does not have", async () => {
    const more = biosFiles(GRUB, { "moddep.lst": utf8("ext2: fshelp\nbiosdisk:\n") });
    await expect(install({ more })).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      problems: [
        "there is no module part_msdos",
        "there is no module fshelp, which ext2 needs",
        "there is no module search_fs_uuid",
      ],
    });
  });

  it("says what to install when GRUB is not there", async () => {
    await expect(install({ more: [] })).rejects.toThrow(
      /no directory \/usr\/lib\/grub\/i386-pc.*grub-pc-bin/,
    );
  });

  it("comes from a tree of the host, too", async () => {
    const grub: Tree = treeOf(biosFiles(""));
    const fromHost = await install({ more: [] }, { grub });
    const fromTree = await install();
    expect(fromHost.raw!.placedAt(1)).toEqual(fromTree.raw!.placedAt(1));
  });

  it.each([
    ["boot.img", new Uint8Array(512)],
    ["boot.img", new Uint8Array(440)],
    ["diskboot.img", new Uint8Array(511)],
    ["diskboot.img", new Uint8Array(512).fill(1)],
    ["lzma_decompress.img", new Uint8Array(27)],
    ["kernel.img", new Uint8Array(0)],
    ["ext2.mod", utf8("text")],
  ])("refuses a %s that is none", async (name, bytes) => {
    const refused = install({ more: biosFiles(GRUB, { [name]: bytes }) });
    await expect(refused).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(refused).rejects.toThrow(name);
  });
});

describe("the layout", () => {
  it.each<[string, Partial<BootContext>, boolean, number]>([
    ["an MBR", {}, true, 0],
    ["a BIOS boot partition", { table: "gpt", biosRoom: 2 ** 20 }, true, 0],
    ["an ESP", { ...HYBRID, biosRoom: undefined }, false, 1],
    ["both", HYBRID, true, 1],
  ])("with %s gets what starts from it", async (_, changes, hasRaw, efiEntries) => {
    const installation = await install(changes);
    expect(installation.raw !== undefined).toBe(hasRaw);
    expect(installation.efiEntries.length).toBe(efiEntries);
  });

  it("can be used for one of both", async () => {
    const installation = await install(HYBRID, { firmware: ["efi"] });
    expect(installation.raw).toBeUndefined();
    expect(installation.files.some(({ path }) => path.includes("i386-pc"))).toBe(false);
  });

  it("is refused when it has no place for GRUB", async () => {
    await expect(install({ table: "gpt" })).rejects.toThrow(/no place for it.*legacy\+gpt/);
    await expect(install({ table: "none" })).rejects.toThrow(/no place for it/);
    await expect(install({ table: "none" }, { firmware: ["bios", "efi"] })).rejects.toMatchObject({
      code: "INVALID_SPEC",
      problems: [
        expect.stringContaining("without a partition table"),
        expect.stringContaining("EFI system partition"),
      ],
    });
    await expect(install({ table: "gpt" }, { firmware: ["bios"] })).rejects.toThrow(/BIOS boot partition/);
  });

  it("has to tell of every filesystem that it has", async () => {
    await expect(install({ ...HYBRID, volumes: undefined })).rejects.toThrow(TypeError);
    await expect(install({ rootUuid: "x; halt" })).rejects.toThrow(TypeError);
  });
});

describe("the menu", () => {
  it("finds kernels on the root", async () => {
    expect(await menu()).toBe(
      `set default=0
set timeout=5

menuentry --id one -- 'Linux 1' {
  search --no-floppy --fs-uuid --set=root ${ROOT_UUID}
  linux /boot/vmlinuz-1 root=UUID=x ro
  initrd /boot/initrd-1
}
`,
    );
  });

  it("finds kernels on the filesystem that is mounted at /boot", async () => {
    const said = await menu(HYBRID);
    expect(said).toContain(`--set=root ${ESP_UUID}\n  linux /vmlinuz-1 root=UUID=x ro\n  initrd /initrd-1\n`);
  });

  it("follows symlinks to the filesystem on which the file lies", async () => {
    const said = await menu(HYBRID, { entries: [{ ...ENTRY, linux: "/vmlinuz" }] });
    expect(said).toContain(`--set=root ${ESP_UUID}\n  linux /vmlinuz-1 `);
  });

  it("takes the files of one entry from several filesystems", async () => {
    const more: Entry[] = [
      ...biosFiles(GRUB),
      EFI_FILE,
      { path: "/lib/initrd", type: "file" },
      { path: "/lib/my board.dtb", type: "file" },
    ];
    const entry: LinuxEntry = {
      ...ENTRY,
      initrds: ["/boot/initrd-1", "/lib/initrd"],
      devicetree: "/lib/my board.dtb",
    };
    const said = await menu({ ...HYBRID, more }, { entries: [entry] });
    expect(said).toMatch(/^insmod ext2\n/);
    expect(said).toContain(`  search --no-floppy --fs-uuid --set=root ${ESP_UUID}
  search --no-floppy --fs-uuid --set=volume1 ${ROOT_UUID}
  linux /vmlinuz-1 root=UUID=x ro
  initrd /initrd-1 ($volume1)/lib/initrd
  devicetree ($volume1)'/lib/my board.dtb'
`);
  });

  it("starts the entry that was asked for, by its number", async () => {
    const entries = [ENTRY, { ...ENTRY, id: "6.1" }];
    expect(await menu({}, { entries, defaultEntry: "6.1", timeout: "never" })).toMatch(
      /^set default=1\nset timeout=-1\n/,
    );
  });

  it("keeps what no shell should see in quotes", async () => {
    const entry = { ...ENTRY, id: "if", title: '-it\'s "$(x)" {;} \\', options: 'a="b c" $x {} #no' };
    const said = await menu({}, { entries: [entry] });
    expect(said).toContain(`menuentry --id 'if' -- '-it'\\''s "$(x)" {;} \\' {\n`);
    expect(said).toContain("linux /boot/vmlinuz-1 'a=b c' '$x' '{}' '#no'\n");
  });

  it("names everything that cannot be told", async () => {
    const refused = install(
      {},
      {
        entries: [
          { ...ENTRY, title: "a\nb" },
          { ...ENTRY, title: "", options: "a=it's" },
          { ...ENTRY, id: "" },
        ],
        defaultEntry: "two",
        timeout: -1,
      },
    );
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_SPEC",
      problems: [
        'two entries have the id "one": give each its own',
        'entry "one": "a\\nb" has control characters',
        'entry "one": its title is empty',
        expect.stringMatching(/^entry "one": option a=it's has the character '/),
        'entry "": its id is empty',
        'the default entry "two" is none of "one", "one", ""',
        "the timeout -1 is not within 0 … 86400 seconds",
      ],
    });
    await expect(install({}, { entries: [] })).rejects.toThrow(/no entry/);
  });

  it("names every file that is not in the tree", async () => {
    const entries = [{ ...ENTRY, linux: "/boot/none", initrds: ["/boot", "/boot/initrd-1"] }];
    await expect(install({}, { entries })).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      problems: ['entry "one": /boot/none is not in the tree', 'entry "one": /boot is no file'],
    });
  });

  it("refuses a serial console that no PC has", async () => {
    await expect(install({}, { serial: { unit: 4, speed: 1 } })).rejects.toMatchObject({
      problems: [expect.stringContaining("port 4"), expect.stringContaining("speed 1")],
    });
  });
});

describe("GRUB for UEFI", () => {
  it("lies where firmware looks, and looks for the menu where the image says", async () => {
    const installation = await install(HYBRID);
    const paths = installation.files.map(({ path }) => path).filter((path) => /EFI/.test(path));
    expect(paths).toEqual([
      "/boot/EFI/BOOT/BOOTX64.EFI",
      "/boot/EFI/debian/grubx64.efi",
      "/boot/EFI/debian/grub.cfg",
    ]);
    expect(installation.efiEntries).toEqual([{ title: "debian", path: "/EFI/debian/grubx64.efi" }]);
    expect(text(installation, "/boot/EFI/debian/grub.cfg")).toBe(
      `search --no-floppy --fs-uuid --set=root ${ESP_UUID}
set prefix=($root)/grub
configfile \${prefix}/grub.cfg
`,
    );
  });

  it("goes on to the root when /boot lies there", async () => {
    const volumes = [{ mount: "/boot/efi", type: "fat" as const, uuid: ESP_UUID }];
    const installation = await install({ table: "gpt", esp: "/boot/efi", volumes });
    expect(text(installation, "/boot/efi/EFI/debian/grub.cfg")).toContain(
      `--set=root ${ROOT_UUID}\nset prefix=($root)/boot/grub\n`,
    );
  });

  it("can have a directory and a name of its own", async () => {
    const { efiEntries, files } = await install(HYBRID, { id: "mine", firmware: ["efi"] });
    expect(efiEntries).toEqual([{ title: "mine", path: "/EFI/mine/grubx64.efi" }]);
    expect(files.map(({ path }) => path)).toContain("/boot/EFI/debian/grub.cfg");
  });

  it.each(["", "..", "a/b", "a b"])("cannot have the id %j", async (id) => {
    await expect(install(HYBRID, { id })).rejects.toThrow(/id .* cannot name its directory/);
  });

  it("is named after its processor", async () => {
    const more: Entry[] = [
      {
        path: `${GRUB}/arm64-efi/monolithic/gcdaa64.efi`,
        type: "file",
        content: efiImg("/boot/grub/", 0xaa64),
      },
    ];
    const installation = await install({ ...HYBRID, biosRoom: undefined, more });
    expect(installation.files.map(({ path }) => path).slice(1)).toEqual([
      "/boot/EFI/BOOT/BOOTAA64.EFI",
      "/boot/EFI/GRUB/grubaa64.efi",
      "/boot/boot/grub/grub.cfg",
    ]);
  });

  it("is one for each processor", async () => {
    const program = (name: string, machine: number): EfiProgram => ({
      name,
      content: bytesContent(efiImg("/EFI/debian", machine)),
    });
    const programs = [program("a", 0x8664), program("b", 0x14c)];
    const { efiEntries } = await install(HYBRID, { efiPrograms: programs });
    expect(efiEntries.map(({ path }) => path)).toEqual([
      "/EFI/debian/grubx64.efi",
      "/EFI/debian/grubia32.efi",
    ]);
    await expect(install(HYBRID, { efiPrograms: [...programs, program("c", 0x8664)] })).rejects.toThrow(
      /^a and c are both GRUB for x64/,
    );
  });

  it("needs no way to a menu that lies where it looks", async () => {
    const more: Entry[] = [{ ...EFI_FILE, content: efiImg("/grub") }];
    const { files } = await install({ ...HYBRID, biosRoom: undefined, more });
    expect(files.filter(({ path }) => path.endsWith("grub.cfg")).length).toBe(1);
  });

  it("says what to install when it is not there", async () => {
    await expect(install({ ...HYBRID, biosRoom: undefined, more: [] })).rejects.toThrow(
      /no GRUB for UEFI in \/usr\/lib\/grub.*grub-efi-amd64-bin/,
    );
  });

  it.each(["(memdisk)/boot/grub", "", "/EFI/../x", "EFI/x", "/a\\b"])(
    "refuses an image that looks for its menu in %j",
    async (prefix) => {
      const more: Entry[] = [{ ...EFI_FILE, content: efiImg(prefix) }];
      await expect(install({ ...HYBRID, biosRoom: undefined, more })).rejects.toMatchObject({
        code: "UNSUPPORTED_IMAGE",
        path: EFI_FILE.path,
      });
    },
  );
});

describe("readEfiImage", () => {
  it("reads the processor and the prefix", () => {
    expect(readEfiImage(efiImg("/EFI/fedora"), "x")).toEqual({ machine: "x64", prefix: "/EFI/fedora" });
  });

  it("refuses every image that is cut off", () => {
    const whole = efiImg("/EFI/debian");
    for (let size = 0; size < whole.length - 8; size++) {
      expect(() => readEfiImage(whole.subarray(0, size), "x")).toThrow(/^x cannot be used/);
    }
  });

  it("refuses other programs", () => {
    expect(() => readEfiImage(efiImg(undefined), "x")).toThrow(/does not say/);
    expect(() => readEfiImage(efiImg("/", 0x1234), "x")).toThrow(/unknown machine 0x1234/);
    const other = efiImg("/");
    other.set(
      utf8("rods"),
      other.findIndex((_, at) => String.fromCharCode(...other.subarray(at, at + 4)) === "mods"),
    );
    expect(() => readEfiImage(other, "x")).toThrow(/no section mods/);
  });
});

describe("kernelBytes", () => {
  it("puts segments where they belong, with zeros between", () => {
    const kernel = kernelImg([
      { address: 0x9000, bytes: Uint8Array.of(1, 2), memorySize: 3 },
      { address: 0x9004, bytes: Uint8Array.of(3) },
    ]);
    expect(kernelBytes(kernel)).toEqual(Uint8Array.of(1, 2, 0, 0, 3));
  });

  it("leaves out what lies below the kernel", () => {
    const kernel = kernelImg([
      { address: 0x8ffe, bytes: Uint8Array.of(1, 2, 3) },
      { address: 0x8000, bytes: Uint8Array.of(9) },
    ]);
    expect(kernelBytes(kernel)).toEqual(Uint8Array.of(3));
  });

  it.each([
    [kernelImg([{ address: 0x67fff, bytes: Uint8Array.of(1), memorySize: 2 }]), /beyond 0x68000/],
    [kernelImg([]), /no part to load/],
    [kernelImg(undefined, { type: 3 }), /type 3/],
    [kernelImg(undefined, { machine: 62 }), /machine 62/],
    [kernelImg(undefined, { entry: 0 }), /starts at 0x0/],
    [kernelImg(undefined, { programHeaders: 0xffffffff }), /cut off/],
    [kernelImg().subarray(0, -1), /cut off/],
  ])("refuses a kernel that GRUB does not have", (kernel, message) => {
    expect(() => kernelBytes(kernel)).toThrow(message);
  });
});

describe("corePayload", () => {
  it("is the kernel, the module header and objects of whole words", () => {
    const options = { configuration: "abc", prefix: "/p" };
    const payload = corePayload(kernelImg(), [Uint8Array.of(7)], options);
    expect(new TextDecoder("latin1").decode(payload)).toBe(
      [
        "the kernel\0\0",
        "mimg\x0c\0\0\0\x30\0\0\0",
        "\0\0\0\0\x0c\0\0\0\x07\0\0\0",
        "\x02\0\0\0\x0c\0\0\0abc\0",
        "\x03\0\0\0\x0c\0\0\0/p\0\0",
      ].join(""),
    );
  });
});

describe("inOrderOfNeed", () => {
  it("puts every module behind what it needs, once, whatever circles there are", () => {
    const dependencies = moduleDependencies("a: b c\nb: c\nc:\nx: y\ny: x\nnoise\n");
    expect(inOrderOfNeed(["a", "b"], dependencies, "d")).toEqual(["c", "b", "a"]);
    expect(inOrderOfNeed(["x"], dependencies, "d")).toEqual(["y", "x"]);
  });

  it("follows a chain of any length", () => {
    const names = Array.from({ length: 50_000 }, (_, index) => `m${index}`);
    const text = names.map((name, index) => `${name}: ${names[index + 1] ?? ""}`).join("\n");
    expect(inOrderOfNeed(["m0"], moduleDependencies(text), "d").length).toBe(names.length);
  });
});

describe("kernelOptions", () => {
  it.each([
    ["a  b\tc\n", ["a", "b", "c"]],
    ["", []],
    ['""', []],
    ['x="a b" y', ["x=a b", "y"]],
    ['"x=a b" y', ["x=a b", "y"]],
    ['x="a"', ["x=a"]],
    ['x="a b', ["x=a b"]],
    ["-- init=/x", ["--", "init=/x"]],
  ])("divides %j as the kernel does", (line, words) => {
    expect(kernelOptions(line)).toEqual({ words, problems: [] });
  });

  it.each(["it's", "a\\x20b", 'a"b c"', 'x="a"b"'])("does not hand %j on in another form", (line) => {
    expect(kernelOptions(line).problems.length).toBe(1);
  });
});

describe("quotedWord", () => {
  it.each([
    ["/boot/vmlinuz-6.1+x", "/boot/vmlinuz-6.1+x"],
    ["", "''"],
    ["a b", "'a b'"],
    ["'", "''\\'''"],
    ["done", "'done'"],
    ["ä", "'ä'"],
  ])("writes %j as %s", (text, word) => {
    expect(quotedWord(text)).toBe(word);
  });
});

describe("placeableCore", () => {
  it("refuses boot sectors of others", () => {
    const boot = bootImg();
    boot[bootImage.offsetOf("driveCheck")] = 0;
    expect(() => placeableCore(boot, new Uint8Array(1024))).toThrow(/boot.img/);
    expect(diskbootImage.span).toBe(512);
  });
});

describe("ext4 for GRUB", () => {
  it("says which features it cannot read", () => {
    expect(grubProblems(["extent", "inline_data", "ea_inode", "casefold"]).length).toBe(3);
    expect(grubProblems(["64bit", "metadata_csum", "metadata_csum_seed", "orphan_file"])).toEqual([]);
    expect(grubWarnings(["extent", "metadata_csum_seed"])).toEqual([expect.stringContaining("2.12")]);
  });
});
