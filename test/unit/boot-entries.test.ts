import { describe, expect, it } from "vitest";
import {
  checkEntries,
  compareVersions,
  efiArchitecture,
  fileNamePart,
  findKernels,
  kernelFacts,
  kernelParameters,
  type LinuxEntry,
  parseOsRelease,
  readSystem,
  withRoot,
} from "../../src/boot/entries/index.ts";
import { collectEntries } from "../../src/boot/index.ts";
import { bootContext, efiProgram, file, link, linuxKernel } from "../support/boot.ts";

describe("compareVersions", () => {
  // The examples of UAPI.10, Version Format Specification 1.0.
  it.each([
    ["11", "==", "11"],
    ["systemd-123", "==", "systemd-123"],
    ["bar-123", "<", "foo-123"],
    ["123a", ">", "123"],
    ["123.a", ">", "123"],
    ["123.a", "<", "123.b"],
    ["123a", ">", "123.a"],
    ["11α", "==", "11β"],
    ["B", "<", "a"],
    ["", "<", "0"],
    ["0.", ">", "0"],
    ["0.0", ">", "0"],
    ["0", ">", "~"],
    ["", ">", "~"],
    ["1_", "==", "1"],
    ["_1", "==", "1"],
    ["1_", "<", "1.2"],
    ["1_2_3", ">", "1.3.3"],
    ["1+", "==", "1"],
    ["+1", "==", "1"],
    ["1+", "<", "1.2"],
    ["1+2+3", ">", "1.3.3"],
    // What the size of a number or the name of a part could break.
    ["9", "<", "10"],
    ["99999999999999999999999", "<", "100000000000000000000000"],
    ["007", "==", "7"],
    ["end", "<", "zeta"],
    ["constructor", "==", "constructor"],
    ["6.1.0-9", "<", "6.1.0-13"],
    ["6.10.1", ">", "6.9.12"],
    ["6.12~rc3", "<", "6.12"],
  ])("has %s %s %s", (a, sign, b) => {
    const order = { "<": -1, "==": 0, ">": 1 }[sign];
    expect(Math.sign(compareVersions(a, b))).toBe(order);
    expect(Math.sign(compareVersions(b, a))).toBe(0 - order!);
  });

  it("sorts the chain of the specification", () => {
    const chain =
      "122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1".split(" ");
    for (const [one, a] of chain.entries()) {
      for (const [other, b] of chain.entries()) {
        expect(Math.sign(compareVersions(a, b)), `${a} and ${b}`).toBe(Math.sign(one - other));
      }
    }
  });
});

describe("parseOsRelease", () => {
  it("reads what a shell would", () => {
    const { fields, problems } = parseOsRelease(
      [
        "# a comment",
        "",
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
        "ID=debian",
        "VERSION_ID='12'",
        'NAME="a \\"b\\" \\$c \\`d\\` \\\\ \\e"',
        "ESCAPED=a\\ b",
        "EMPTY=",
        'ALSO=""',
        "  INDENTED=yes  ",
        "ID=last",
        "CRLF=1\r",
      ].join("\n"),
    );
    expect(problems).toEqual([]);
    expect(Object.fromEntries(fields)).toEqual({
      PRETTY_NAME: "Debian GNU/Linux 12 (bookworm)",
      ID: "last",
      VERSION_ID: "12",
      NAME: 'a "b" $c `d` \\ \\e',
      ESCAPED: "a b",
      INDENTED: "yes",
      CRLF: "1",
    });
  });

  it.each([
    "no assignment",
    "1ID=digits",
    'OPEN="quote',
    "OPEN='quote",
    "TWO=words here",
    "RUN=$(reboot)",
    "EXPAND=$HOME",
    "=value",
    "A B=c",
    'PIECES="a"b',
    "\u001b[2J",
  ])("tells that %j says nothing", (line) => {
    const { fields, problems } = parseOsRelease(`ID=kept\n${line}\n`);
    expect(Object.fromEntries(fields)).toEqual({ ID: "kept" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^line 2 is no assignment and is passed over: [ -~]+$/);
  });

  it("does not take a field for what every object has", () => {
    const { fields } = parseOsRelease("__proto__=a\nconstructor=b\n");
    expect(Object.fromEntries(fields)).toEqual(
      Object.fromEntries([
        ["__proto__", "a"],
        ["constructor", "b"],
      ]),
    );
  });
});

describe("readSystem", () => {
  it("knows nothing of an empty tree", async () => {
    expect(await readSystem(bootContext([]))).toEqual({
      title: "Linux",
      sortKey: "linux",
      token: "linux",
      machineId: undefined,
      options: undefined,
      warnings: [],
    });
  });

  it("reads what the tree says of itself, over symlinks within it", async () => {
    const context = bootContext([
      link("etc/os-release", "../usr/lib/os-release"),
      file("usr/lib/os-release", 'PRETTY_NAME="Some  \t Linux 3"\nID=some\nIMAGE_ID=appliance\n'),
      file("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
      file("etc/kernel/entry-token", "tok/en+3\n"),
      file("etc/kernel/cmdline", "quiet\nconsole=ttyS0\n"),
    ]);
    expect(await readSystem(context)).toEqual({
      title: "Some Linux 3",
      sortKey: "appliance",
      token: "tok_en_3",
      machineId: "0123456789abcdef0123456789abcdef",
      options: "quiet console=ttyS0",
      warnings: [],
    });
  });

  it.each(["uninitialized\n", "", "0123456789ABCDEF0123456789ABCDEF"])(
    "does not take %j for a machine ID",
    async (text) => {
      const { machineId } = await readSystem(bootContext([file("etc/machine-id", text)]));
      expect(machineId).toBeUndefined();
    },
  );

  it("falls back where the first os-release leads nowhere, and tells of what cannot be read", async () => {
    const dangling = [link("etc/os-release", "/nowhere"), file("usr/lib/os-release", "ID=second")];
    expect((await readSystem(bootContext(dangling))).token).toBe("second");
    const binary = bootContext([file("etc/os-release", Uint8Array.of(0xff))]);
    expect((await readSystem(binary)).warnings).toEqual(["/etc/os-release: is no UTF-8: not read"]);
    const long = bootContext([file("etc/os-release", new Uint8Array(70_000))]);
    expect((await readSystem(long)).warnings).toEqual([
      "/etc/os-release: is longer than 65536 bytes: not read",
    ]);
  });
});

describe("kernelFacts", () => {
  it("reads architecture and release", () => {
    expect(kernelFacts(linuxKernel("6.1.0-13-amd64"))).toEqual({
      architecture: "x64",
      release: "6.1.0-13-amd64",
    });
    expect(kernelFacts(linuxKernel(""))).toEqual({ architecture: "x64", release: undefined });
    expect(kernelFacts(efiProgram("aa64"))).toEqual({ architecture: "aa64", release: undefined });
  });

  it("takes any bytes", () => {
    const kernel = linuxKernel("6.1.0");
    const unknown = { architecture: undefined, release: undefined };
    for (let length = 0; length < 0x210; length++) {
      expect(kernelFacts(kernel.subarray(0, length)).release).toBeUndefined();
    }
    expect(kernelFacts(new Uint8Array(0))).toEqual(unknown);
    expect(kernelFacts(new Uint8Array(4096).fill(0xff))).toEqual(unknown);
    const outside = linuxKernel("6.1.0");
    new DataView(outside.buffer).setUint16(0x20e, 0xffff, true);
    expect(kernelFacts(outside).release).toBeUndefined();
    new DataView(outside.buffer).setUint32(0x3c, 0xffffffff, true);
    expect(kernelFacts(outside).architecture).toBeUndefined();
    // No blank, no end.
    const endless = linuxKernel("x".repeat(65));
    expect(kernelFacts(endless).release).toBeUndefined();
    expect(kernelFacts(linuxKernel("x".repeat(64))).release).toBe("x".repeat(64));
  });

  it("tells the machines of UEFI apart", () => {
    expect(
      (["ia32", "x64", "aa64", "riscv64"] as const).map((name) => efiArchitecture(efiProgram(name))),
    ).toEqual(["ia32", "x64", "aa64", "riscv64"]);
  });
});

describe("kernel command lines", () => {
  it.each([
    ["", "root=D"],
    ["quiet", "root=D quiet"],
    [" quiet  rw ", "root=D quiet  rw"],
    ["quiet root=/dev/vda2", "quiet root=/dev/vda2"],
    ["rootwait rootfstype=ext4", "root=D rootwait rootfstype=ext4"],
    ["xroot=1", "root=D xroot=1"],
    ['"root=LABEL=a b"', '"root=LABEL=a b"'],
    ['dyndbg="file root=x.c +p"', 'root=D dyndbg="file root=x.c +p"'],
    ["roothash=abc", "roothash=abc"],
    ["quiet -- root=/not/the/kernel", "root=D quiet -- root=/not/the/kernel"],
  ])("gives %j its root: %j", (given, expected) => {
    expect(withRoot(given, "D")).toBe(expected);
  });

  it("falls into parameters as the kernel has them", () => {
    expect(kernelParameters('a  b="c d" e"f g"h "i')).toEqual(["a", 'b="c d"', 'e"f g"h', '"i']);
    expect(kernelParameters("a -- b")).toEqual(["a"]);
  });
});

describe("fileNamePart", () => {
  it.each([
    ["debian-6.1.0-13-amd64", "debian-6.1.0-13-amd64"],
    ["a b/c", "a_b_c"],
    ["größe", "gr_e"],
    ["..", ""],
    [".hidden.", "hidden"],
    // Counters of attempts to boot.
    ["6.1.0+3", "6.1.0_3"],
    ["6.1.0+3-1", "6.1.0_3-1"],
    ["6.1.0+", "6.1.0+"],
    ["6.1+deb12u1", "6.1+deb12u1"],
  ])("makes of %j: %j", (text, expected) => {
    expect(fileNamePart(text)).toBe(expected);
  });
});

describe("findKernels", () => {
  async function found(entries: Parameters<typeof bootContext>[0]) {
    const { kernels, warnings } = await findKernels(bootContext(entries));
    return { kernels: kernels.map(({ path, initrds, version }) => [path, version, ...initrds]), warnings };
  }

  it("finds kernels as distributions name them, the newest first", async () => {
    const { kernels, warnings } = await found([
      file("boot/vmlinuz-6.1.0-9-amd64", linuxKernel("6.1.0-9-amd64")),
      file("boot/initrd.img-6.1.0-9-amd64"),
      file("boot/vmlinuz-6.1.0-13-amd64", linuxKernel("6.1.0-13-amd64")),
      file("boot/initrd.img-6.1.0-13-amd64"),
      file("boot/vmlinuz-6.8.5-301.fc40.x86_64", linuxKernel("6.8.5-301.fc40.x86_64")),
      file("boot/initramfs-6.8.5-301.fc40.x86_64.img"),
      file("boot/vmlinuz-linux", linuxKernel("6.9.1-arch1-1")),
      file("boot/initramfs-linux.img"),
      file("boot/initramfs-linux-fallback.img"),
      file("boot/amd-ucode.img"),
      file("boot/vmlinuz-lts", linuxKernel("6.6.31-0-lts")),
      file("boot/initramfs-lts"),
      file("boot/Image-5.14.21", efiProgram("aa64")),
      file("boot/initrd-5.14.21"),
      file("boot/Image.gz", "packed"),
      file("boot/config-6.1.0-13-amd64", "no kernel"),
    ]);
    expect(kernels).toEqual([
      ["/boot/vmlinuz-linux", "6.9.1-arch1-1", "/boot/amd-ucode.img", "/boot/initramfs-linux.img"],
      [
        "/boot/vmlinuz-6.8.5-301.fc40.x86_64",
        "6.8.5-301.fc40.x86_64",
        "/boot/amd-ucode.img",
        "/boot/initramfs-6.8.5-301.fc40.x86_64.img",
      ],
      ["/boot/vmlinuz-lts", "6.6.31-0-lts", "/boot/amd-ucode.img", "/boot/initramfs-lts"],
      [
        "/boot/vmlinuz-6.1.0-13-amd64",
        "6.1.0-13-amd64",
        "/boot/amd-ucode.img",
        "/boot/initrd.img-6.1.0-13-amd64",
      ],
      [
        "/boot/vmlinuz-6.1.0-9-amd64",
        "6.1.0-9-amd64",
        "/boot/amd-ucode.img",
        "/boot/initrd.img-6.1.0-9-amd64",
      ],
      ["/boot/Image-5.14.21", "5.14.21", "/boot/initrd-5.14.21"],
    ]);
    expect(warnings).toEqual([]);
  });

  it("takes a kernel once, whatever leads to it", async () => {
    const kernel = linuxKernel("6.1.0");
    const { kernels, warnings } = await found([
      link("lib", "usr/lib"),
      link("boot/vmlinuz", "vmlinuz-6.1.0"),
      file("boot/vmlinuz-6.1.0", kernel),
      link("boot/initrd.img-6.1.0", "real-initrd"),
      file("boot/real-initrd"),
      file("usr/lib/modules/6.1.0/vmlinuz", kernel),
      file("usr/lib/modules/6.2.0/vmlinuz", linuxKernel("6.2.0")),
      file("usr/lib/modules/6.2.0/initramfs.img"),
      { path: "usr/lib/modules/6.3.0", type: "directory" },
    ]);
    expect(kernels).toEqual([
      ["/usr/lib/modules/6.2.0/vmlinuz", "6.2.0", "/usr/lib/modules/6.2.0/initramfs.img"],
      ["/boot/vmlinuz-6.1.0", "6.1.0", "/boot/real-initrd"],
    ]);
    expect(warnings).toEqual([]);
  });

  it("takes the initrd of a kernel in /boot by its release", async () => {
    const { kernels } = await found([
      file("boot/vmlinuz", linuxKernel("6.1.0")),
      file("boot/initrd.img", "that of the name"),
      file("boot/initramfs-6.1.0.img"),
    ]);
    expect(kernels).toEqual([["/boot/vmlinuz", "6.1.0", "/boot/initrd.img"]]);
  });

  it("tells of what is not as it seems", async () => {
    const { kernels, warnings } = await found([
      file("boot/vmlinuz-6.1.0", linuxKernel("6.1.5-custom")),
      link("boot/vmlinuz-6.2.0", "/nowhere"),
      link("boot/vmlinuz-6.3.0", "../../../etc"),
      { path: "etc", type: "directory" },
      file("boot/vmlinuz-6.4.0", "text"),
    ]);
    expect(kernels).toEqual([["/boot/vmlinuz-6.1.0", "6.1.5-custom"]]);
    expect(warnings).toEqual([
      "/boot/vmlinuz-6.1.0: is Linux 6.1.5-custom, other than its name says",
      "/boot/vmlinuz-6.2.0: leads to no file in the tree: no boot entry is made of it",
      "/boot/vmlinuz-6.3.0: leads to no file in the tree: no boot entry is made of it",
      "/boot/vmlinuz-6.4.0: is no Linux kernel that a boot loader could start: no boot entry is made of it",
    ]);
  });
});

describe("checkEntries", () => {
  const good: LinuxEntry = { id: "a", title: "A", linux: "/boot/vmlinuz", initrds: [], options: "quiet" };

  it("takes what UAPI.1 allows", () => {
    checkEntries([
      {
        ...good,
        id: "Az09+-_.",
        title: 'Größe "x"',
        version: "1~2^3",
        sortKey: "k",
        machineId: "0".repeat(32),
      },
      { ...good, id: "x".repeat(250), options: "", architecture: "aa64" },
      { id: "program", title: "Memory test", efi: "/boot/memtest.efi", options: "" },
    ]);
  });

  it.each([
    [{ id: "" }, "an id has 1 to 250 characters, this one 0"],
    [{ id: "x".repeat(251) }, "an id has 1 to 250 characters, this one 251"],
    [{ id: "a b" }, "an id consists of ASCII letters, digits, +, -, _ and . (UAPI.1)"],
    [{ id: "ä" }, "an id consists of"],
    [{ id: "../x" }, "an id consists of"],
    [{ id: ".x" }, "an id cannot start with a dot or auto-"],
    [{ id: "Auto-x" }, "an id cannot start with a dot or auto-"],
    [{ title: "" }, "the title is empty"],
    [
      { title: "a\nlinux /evil" },
      "title has to be a single line without control characters: a\\x0alinux /evil",
    ],
    [{ title: " a" }, "title has blanks around it"],
    [{ title: '"a"' }, "title starts and ends with a quotation mark"],
    [{ title: "\ud800" }, "title is no valid Unicode"],
    [{ version: "1\r" }, "version has to be a single line"],
    [{ sortKey: "\u001b[2J" }, "sort-key has to be a single line without control characters: \\x1b[2J"],
    [{ machineId: "0123" }, "the machine ID 0123 is not 32 lower-case hexadecimal digits"],
    [{ machineId: "A".repeat(32) }, "is not 32 lower-case"],
    [{ options: "a\0b" }, "options has to be a single line"],
    [{ linux: "boot/vmlinuz" }, "linux boot/vmlinuz has to be a path from the root"],
    [{ linux: "/boot//vmlinuz" }, "has to be a path from the root"],
    [{ linux: "/boot/../vmlinuz" }, "has to be a path from the root"],
    [{ linux: "/" }, "has to be a path from the root"],
    [{ initrds: ["/boot/a", "b"] }, "initrd b has to be a path from the root"],
    [{ devicetree: "x" }, "devicetree x has to be a path"],
  ])("refuses %j", (change, message) => {
    expect(() => checkEntries([{ ...good, ...change }])).toThrow(message);
  });

  it("refuses all at once, and ids that a boot partition cannot tell apart", () => {
    const entries = [good, { ...good, id: "A" }, { ...good, id: "b", title: "" }, good, { ...good, id: "b" }];
    expect(() => checkEntries(entries)).toThrow(
      [
        "the boot menu cannot be written:",
        "boot entry A: given twice: give one of them another id",
        "boot entry b: the title is empty: name what is booted",
        "boot entry a: given twice: give one of them another id",
        "boot entry b: given twice: give one of them another id",
      ].join("\n  "),
    );
  });
});

describe("collectEntries", () => {
  const kernel = file("boot/vmlinuz-6.1.0", linuxKernel("6.1.0"));
  const osRelease = file("etc/os-release", 'PRETTY_NAME="Debian 12"\nID=debian\n');

  it("makes entries of the kernels of a tree", async () => {
    const { rootDevice, ...context } = bootContext([kernel, osRelease]);
    const collected = await collectEntries({ ...context, rootDevice }, { kernelOptions: "quiet" });
    expect(collected).toMatchObject({ origin: "kernels", defaultId: undefined, warnings: [] });
    expect(collected.entries).toEqual([
      {
        id: "debian-6.1.0",
        title: "Debian 12",
        version: "6.1.0",
        sortKey: "debian",
        machineId: undefined,
        architecture: "x64",
        linux: "/boot/vmlinuz-6.1.0",
        initrds: [],
        options: `root=${rootDevice} quiet`,
      },
    ]);
  });

  it("takes the command line of the tree when none is given", async () => {
    const context = bootContext([
      kernel,
      file("etc/kernel/cmdline", "root=LABEL=x ro\n"),
      file("boot/initrd-6.1.0"),
    ]);
    expect((await collectEntries(context)).entries[0]!.options).toBe("root=LABEL=x ro");
    const given = await collectEntries(context, { kernelOptions: "root=/dev/sda" });
    expect(given.entries[0]!.options).toBe("root=/dev/sda");
  });

  it("takes given entries as they are, and completes them", async () => {
    const { entries, defaultId, origin } = await collectEntries(bootContext([kernel, file("boot/m.efi")]), {
      kernelOptions: "console=ttyS0",
      entries: [
        { title: "My System", version: "2", linux: "/boot/vmlinuz-6.1.0" },
        { title: "Rescue", id: "rescue", linux: "/boot/vmlinuz-6.1.0", options: "single root=/dev/sda1" },
        { title: "Memory test", efi: "/boot/m.efi" },
      ],
    });
    expect(origin).toBe("given");
    expect(defaultId).toBe("My_System-2");
    expect(entries.map(({ id, options }) => [id, options])).toEqual([
      ["My_System-2", "root=PARTUUID=6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10 console=ttyS0"],
      ["rescue", "single root=/dev/sda1"],
      ["Memory_test", ""],
    ]);
  });

  it("refuses given entries that are nothing, or refer to nothing", async () => {
    const context = bootContext([kernel, link("boot/out", "/../etc/passwd")]);
    await expect(
      collectEntries(context, {
        entries: [
          { title: "none" },
          { title: "both", linux: "/a", efi: "/b" },
          { title: "mixed", efi: "/a", initrds: ["/b"] },
        ],
      }),
    ).rejects.toThrow(
      [
        "the boot menu cannot be written:",
        "boot entry none: either a kernel or a program of UEFI is to be given, as linux or as efi",
        "boot entry both: either a kernel or a program of UEFI is to be given, as linux or as efi",
        "boot entry mixed: initrds and devicetree are for kernels, not for programs of UEFI",
      ].join("\n  "),
    );
    await expect(
      collectEntries(context, {
        entries: [
          { title: "a", linux: "/boot/vmlinuz", initrds: ["/boot/out"] },
          { title: "b", linux: "/boot" },
        ],
      }),
    ).rejects.toThrow(
      [
        "the boot menu refers to what is not there:",
        "boot entry a: linux /boot/vmlinuz: there is no such file in the tree",
        "boot entry a: initrd /boot/out: there is no such file in the tree",
        "boot entry b: linux /boot: it is no file",
      ].join("\n  "),
    );
  });

  it("warns of a root that a kernel cannot find by itself", async () => {
    const context = bootContext([kernel], { rootDevice: "UUID=0bd6ad12-7e77-4d7e-9a3c-2a4d1c6d0b11" });
    expect((await collectEntries(context)).warnings).toEqual([
      "linux-6.1.0: only an initrd finds a root by UUID= or LABEL=, and it has none: use root=PARTUUID=",
    ]);
  });

  it("finds nothing in an empty tree", async () => {
    expect(await collectEntries(bootContext([]))).toMatchObject({ entries: [], warnings: [] });
  });
});
