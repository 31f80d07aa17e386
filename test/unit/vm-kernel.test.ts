import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { findBusybox, findKernel, hostFiles, type Kernel } from "../../src/vm/index.ts";
import { kernelHeader } from "../../src/vm/kernel.ts";
import { moduleInfo, unpackModule } from "../../src/vm/module-info.ts";
import { modulesToLoad } from "../../src/vm/modules.ts";
import { elfFile, kernelModule } from "../support/elf.ts";
import { scratchDirectory } from "../support/referee.ts";
import { bzImage, systemFiles } from "../support/vm.ts";

const scratch = scratchDirectory();
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error("no error"),
    (error) => error,
  );

describe("the header of a kernel", () => {
  it("tells its release", () => {
    expect(kernelHeader(bzImage("6.1.0-13-amd64"))).toEqual({ release: "6.1.0-13-amd64" });
  });

  const arm = bzImage("6.1");
  arm.set(Buffer.from("ARM\x64"), 0x38);
  it.each([
    [bzImage("6.1", { flags: 0 }), /for 32 bits/],
    [bzImage("6.1", { protocol: 0x20b }), /for 32 bits/],
    [bzImage(""), /does not tell its version/],
    [bzImage("6".repeat(65)), /does not tell its version/],
    [arm, /for arm64, one for x86-64 is needed/],
    [elfFile({}), /vmlinux/],
    [gzipSync(new Uint8Array(100)), /is compressed/],
    [new Uint8Array(0), /no Linux kernel for x86/],
    [bzImage("6.1").subarray(0, 0x210), /no Linux kernel for x86/],
  ])("tells why it cannot be started (%#)", (bytes, problem) => {
    expect(kernelHeader(bytes)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

describe("finding a kernel", () => {
  const builtin = { "lib/modules/6.1.0-9/modules.builtin": "", "lib/modules/6.1.0-13/modules.builtin": "" };

  it("takes the newest that has modules", async () => {
    const kernel = await findKernel(
      systemFiles({
        ...builtin,
        "boot/vmlinuz-6.1.0-9": bzImage("6.1.0-9"),
        "boot/vmlinuz-6.1.0-13": bzImage("6.1.0-13"),
        "boot/vmlinuz-7.0": bzImage("7.0"),
        "boot/vmlinuz-arm": gzipSync("x"),
        "boot/initrd": "x",
      }),
    );
    expect(kernel).toMatchObject({
      path: "/boot/vmlinuz-6.1.0-13",
      release: "6.1.0-13",
      modules: { path: "/lib/modules/6.1.0-13" },
    });
  });

  it("follows symlinks within the tree", async () => {
    const kernel = await findKernel(
      systemFiles({
        "usr/lib/modules/6.1/modules.builtin": "",
        "usr/lib/modules/6.1/vmlinuz": bzImage("6.1"),
        lib: "-> usr/lib",
        "boot/vmlinuz": "-> ../../lib/modules/6.1/vmlinuz",
      }),
    );
    expect(kernel).toMatchObject({ release: "6.1", modules: { path: "/usr/lib/modules/6.1" } });
  });

  it("finds that of a NixOS system", async () => {
    const kernel = await findKernel(
      systemFiles({
        "nix/var/nix/profiles/system": "-> system-1-link",
        "nix/var/nix/profiles/system-1-link": "-> /nix/store/s-nixos",
        "nix/store/s-nixos/kernel": "-> /nix/store/k-linux/bzImage",
        "nix/store/s-nixos/kernel-modules": "-> /nix/store/k-modules",
        "nix/store/k-linux/bzImage": bzImage("6.6.1"),
        "nix/store/k-modules/lib/modules/6.6.1/modules.builtin": "",
      }),
    );
    expect(kernel).toMatchObject({
      release: "6.6.1",
      modules: { path: "/nix/store/k-modules/lib/modules/6.6.1" },
    });
  });

  it("takes the one that is named", async () => {
    const files = systemFiles({ "opt/kernel": bzImage("6.1"), "opt/modules/modules.builtin": "" });
    const kernel = await findKernel(files, { kernel: "/opt/kernel", modules: "/opt/modules" });
    expect(kernel).toMatchObject({ path: "/opt/kernel", modules: { path: "/opt/modules" } });
  });

  it("says what it looked at", async () => {
    const none = await failure(findKernel(systemFiles({ "etc/passwd": "" })));
    expect(none).toMatchObject({ code: "VM_NO_KERNEL" });
    expect(none.message).toMatch(
      /no kernel was found \(looked for \/boot\/vmlinuz\*.*linux-image-cloud-amd64/,
    );
    const wrong = await failure(
      findKernel(systemFiles({ "boot/vmlinuz-a": gzipSync("x"), "boot/vmlinuz-b": "-> nowhere" })),
    );
    expect(wrong.message).toMatch(
      /\n {2}\/boot\/vmlinuz-a: is compressed.*\n {2}\/boot\/vmlinuz-b: there is no such file$/,
    );
    const bare = await failure(
      findKernel(systemFiles({ "boot/vmlinuz": bzImage("6.1"), "lib/modules/6.1/kernel/a.ko": "" })),
    );
    expect(bare).toMatchObject({ code: "VM_NO_MODULE" });
    expect(bare.message).toMatch(
      /\/boot\/vmlinuz: Linux 6\.1 has no modules \(looked for \/usr\/lib\/modules\/6\.1 and/,
    );
  });

  it("does not follow symlinks for ever, nor out of a directory of the host", async () => {
    const loop = systemFiles({
      "boot/vmlinuz": "-> vmlinuz",
      "boot/vmlinuz-2": "-> /boot/../boot/vmlinuz-2/x",
    });
    expect(await failure(findKernel(loop))).toMatchObject({ code: "VM_NO_KERNEL" });
    const root = join(scratch, "root");
    mkdirSync(join(root, "boot"), { recursive: true });
    mkdirSync(join(root, "lib/modules/6.1"), { recursive: true });
    writeFileSync(join(root, "lib/modules/6.1/modules.builtin"), "");
    writeFileSync(join(scratch, "outside"), bzImage("6.1"));
    symlinkSync("../../outside", join(root, "boot/vmlinuz"));
    expect(await failure(findKernel(hostFiles(root)))).toMatchObject({ code: "VM_NO_KERNEL" });
    writeFileSync(join(root, "outside"), bzImage("6.1"));
    expect(await findKernel(hostFiles(root))).toMatchObject({ release: "6.1" });
  });
});

describe("what a module says about itself", () => {
  it("is read with - and _ as one", () => {
    const module = kernelModule(
      "license=GPL",
      "depends=jbd2,mb-cache",
      "softdep=pre: crc32c  other post: late",
      "depends=",
    );
    expect(moduleInfo(module, "a.ko")).toEqual({
      depends: ["jbd2", "mb_cache"],
      softPrerequisites: ["crc32c", "other"],
    });
    const late = kernelModule("softdep=post: late");
    expect(moduleInfo(late, "a.ko")).toEqual({ depends: [], softPrerequisites: [] });
  });

  it.each([
    ["no ELF", new Uint8Array(100)],
    ["no section", elfFile({ ".text": "" })],
    ["cut off", kernelModule("depends=a").subarray(0, 120)],
    ["32 bits", kernelModule("depends=a").with(4, 1)],
  ])("is missing in what is no module: %s", (_name, bytes) => {
    expect(() => moduleInfo(bytes, "/lib/a.ko")).toThrow(/^\/lib\/a\.ko: is no module/);
  });

  it("is read of compressed ones", async () => {
    const module = kernelModule("depends=");
    expect(Buffer.compare(await unpackModule(gzipSync(module), "a.ko.gz"), module)).toBe(0);
    expect(await unpackModule(module, "a.ko")).toBe(module);
    const damaged = gzipSync(module).subarray(0, 30);
    expect(await failure(unpackModule(damaged, "/lib/a.ko.gz"))).toMatchObject({
      code: "CORRUPT",
      path: "/lib/a.ko.gz",
    });
  });
});

describe("the modules that have to be loaded", () => {
  const directory = "/lib/modules/6.1";

  function kernel(files: Readonly<Record<string, Uint8Array | string>>): Kernel {
    const all = Object.fromEntries(
      Object.entries(files).map(([path, content]) => [`${directory}/${path}`, content]),
    );
    return {
      path: "/boot/vmlinuz",
      release: "6.1",
      bytes: bzImage("6.1"),
      modules: { files: systemFiles(all), path: directory },
    };
  }

  const names = async (
    files: Readonly<Record<string, Uint8Array | string>>,
    required: string[],
    optional: string[] = [],
  ) =>
    (await modulesToLoad(kernel(files), { required, optional })).modules.map(
      ({ name, isRequired }) => `${name}${isRequired ? "" : "?"}`,
    );

  it("come after what they need, once, and without what is built in", async () => {
    const files = {
      "modules.builtin": "kernel/fs/jbd2.ko\nkernel/lib/crc16.ko.xz\n",
      "kernel/fs/ext4.ko": kernelModule("depends=mbcache,jbd2,crc16", "softdep=pre: crc32c"),
      "kernel/fs/mbcache.ko": kernelModule("depends="),
      "kernel/crypto/crc32c_generic.ko.gz": gzipSync(kernelModule("depends=")),
      "kernel/drivers/virtio-blk.ko": kernelModule("depends=virtio,virtio_ring"),
      "kernel/drivers/virtio_ring.ko": kernelModule("depends=virtio"),
      "kernel/drivers/virtio.ko": kernelModule(),
      build: "-> /usr/src/linux",
    };
    expect(await names(files, ["virtio_blk", "ext4"], ["virtio", "nothing"])).toEqual([
      "virtio",
      "virtio_ring",
      "virtio_blk",
      "crc32c_generic?",
      "mbcache",
      "ext4",
    ]);
  });

  it("are taken from the updates first", async () => {
    const files = {
      "modules.builtin": "",
      "kernel/a.ko": kernelModule("depends=missing"),
      "updates/dkms/a.ko": kernelModule("depends="),
    };
    expect(await names(files, ["a"])).toEqual(["a"]);
  });

  it("are left out when they are optional and lack something", async () => {
    const files = {
      "modules.builtin": "",
      "kernel/a.ko": kernelModule("depends=b"),
      "kernel/c.ko": kernelModule("depends="),
    };
    expect(await names(files, [], ["a", "c"])).toEqual(["c?"]);
  });

  it("may need each other in a circle", async () => {
    const files = {
      "modules.builtin": "",
      "kernel/a.ko": kernelModule("depends=b"),
      "kernel/b.ko": kernelModule("depends=a"),
    };
    expect(await names(files, ["a"])).toEqual(["b", "a"]);
  });

  it("are all named when they are missing", async () => {
    const files = {
      "modules.builtin": "",
      "kernel/a.ko": kernelModule("depends=b,c"),
      "kernel/d.ko": "-> nowhere",
    };
    const error = await failure(names(files, ["a", "d"]));
    expect(error).toMatchObject({ code: "VM_NO_MODULE", path: directory });
    expect(error.message).toContain(
      "Linux 6.1 has neither built in nor in /lib/modules/6.1 what a virtual machine needs: b (which a needs), c (which a needs), d:",
    );
  });

  it("name the file that is damaged", async () => {
    const files = { "modules.builtin": "", "kernel/a.ko": "nonsense" };
    await expect(names(files, ["a"])).rejects.toMatchObject({
      code: "CORRUPT",
      path: `${directory}/kernel/a.ko`,
    });
  });
});

describe("finding a busybox", () => {
  it("takes that of the image when this host has none", async () => {
    const image = systemFiles({
      "bin/busybox": elfFile({}, { isDynamic: true }),
      "usr/bin/busybox": elfFile({}),
    });
    const empty = { PATH: join(scratch, "nowhere") };
    const found = await findBusybox(undefined, image, empty);
    expect(found.path).toBe("/usr/bin/busybox of the image");
    const error = await failure(findBusybox(undefined, systemFiles({ "bin/busybox": "text" }), empty));
    expect(error.message).toMatch(
      /\(\/bin\/busybox of the image: is no program for x86-64 Linux\): install it/,
    );
    expect((await failure(findBusybox(undefined, undefined, empty))).message).toContain("(none was found)");
  });

  it("refuses one that needs libraries, or is for another processor", async () => {
    const dynamic = join(scratch, "dynamic");
    writeFileSync(dynamic, elfFile({}, { isDynamic: true }));
    expect((await failure(findBusybox(dynamic, undefined))).message).toMatch(
      /dynamic: needs shared libraries/,
    );
    const arm = join(scratch, "arm");
    writeFileSync(arm, elfFile({}, { machine: 183 }));
    expect((await failure(findBusybox(arm, undefined))).message).toMatch(
      /arm: is no program for x86-64 Linux/,
    );
  });
});
