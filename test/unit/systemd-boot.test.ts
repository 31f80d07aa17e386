import { describe, expect, it } from "vitest";
import { installSystemdBoot, withInstallation } from "../../src/boot/index.ts";
import { bytesContent } from "../../src/extents/index.ts";
import type { Entry } from "../../src/tree/index.ts";
import {
  bootContext,
  efiProgram,
  file,
  LOADER,
  link,
  linuxKernel,
  pathsOf,
  textOf,
  treeText,
} from "../support/boot.ts";

const KERNEL = file("boot/vmlinuz-6.1.0", linuxKernel("6.1.0"));
const INITRD = file("boot/initrd.img-6.1.0", "initrd");
const DEBIAN = file("etc/os-release", 'PRETTY_NAME="Debian 12"\nID=debian\n');
const ROOT = "root=PARTUUID=6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10";

describe("installSystemdBoot", () => {
  it("installs the loader, and an entry for a kernel where it lies", async () => {
    const context = bootContext([LOADER, KERNEL, INITRD, DEBIAN]);
    const installation = await installSystemdBoot(context, { kernelOptions: "quiet" });
    expect(pathsOf(installation)).toEqual([
      "/boot/EFI/systemd/systemd-bootx64.efi",
      "/boot/EFI/BOOT/BOOTX64.EFI",
      "/boot/loader/loader.conf",
      "/boot/loader/entries.srel",
      "/boot/loader/entries/debian-6.1.0.conf",
    ]);
    expect(await textOf(installation, "/boot/loader/entries/debian-6.1.0.conf")).toBe(
      [
        "title Debian 12",
        "version 6.1.0",
        "sort-key debian",
        "linux /vmlinuz-6.1.0",
        "initrd /initrd.img-6.1.0",
        `options ${ROOT} quiet`,
        "architecture x64",
        "",
      ].join("\n"),
    );
    expect(await textOf(installation, "/boot/loader/entries.srel")).toBe("type1\n");
    // The newest kernel is started, also when a newer one is installed later.
    expect(await textOf(installation, "/boot/loader/loader.conf")).toBe("");
    expect(installation.files[0]!.content).toBe(installation.files[1]!.content);
    expect(installation.efiEntries).toEqual([
      { title: "Linux Boot Manager", path: "/EFI/systemd/systemd-bootx64.efi" },
    ]);
    expect(installation.warnings).toEqual([]);
    expect(installation.raw).toBeUndefined();
  });

  it("puts the loader on the ESP and entries on XBOOTLDR", async () => {
    const context = bootContext([LOADER, KERNEL, INITRD], { esp: "/efi", xbootldr: "/boot" });
    const installation = await installSystemdBoot(context, { loader: { timeout: 3 } });
    expect(pathsOf(installation)).toEqual([
      "/efi/EFI/systemd/systemd-bootx64.efi",
      "/efi/EFI/BOOT/BOOTX64.EFI",
      "/efi/loader/loader.conf",
      "/boot/loader/entries.srel",
      "/boot/loader/entries/linux-6.1.0.conf",
    ]);
    expect(await textOf(installation, "/boot/loader/entries/linux-6.1.0.conf")).toContain(
      "linux /vmlinuz-6.1.0\n",
    );
  });

  it("copies what does not lie on the boot partition, once", async () => {
    const initrd = file("usr/lib/modules/6.1.0/initramfs.img", "initrd");
    const sparse: Entry = {
      ...file("usr/lib/modules/6.1.0/vmlinuz", linuxKernel("6.1.0")),
      data: [{ offset: 0, length: 1024 }],
    };
    const context = bootContext(
      [LOADER, DEBIAN, sparse, initrd, link("lib", "usr/lib"), link("vmlinuz", sparse.path as string)],
      {
        esp: "/boot/efi",
        xbootldr: "/boot",
      },
    );
    const installation = await installSystemdBoot(context, {
      entries: [
        { title: "one", version: "1", linux: "/vmlinuz", initrds: ["/lib/modules/6.1.0/initramfs.img"] },
        { title: "two", version: "2", linux: "/usr/lib/modules/6.1.0/vmlinuz" },
      ],
    });
    expect(pathsOf(installation).slice(4)).toEqual([
      "/boot/loader/entries/one-1.conf",
      "/boot/loader/entries/two-2.conf",
      "/boot/debian/1/linux",
      "/boot/debian/1/initrd",
    ]);
    expect(await textOf(installation, "/boot/loader/entries/two-2.conf")).toContain(
      "linux /debian/1/linux\n",
    );
    const copy = installation.files.find(({ path }) => path === "/boot/debian/1/linux")!;
    expect(copy.content).toBe(context.tree.content(context.tree.resolve("/vmlinuz")!));
    expect(copy.data).toEqual(sparse.data);
    expect(await textOf(installation, "/boot/efi/loader/loader.conf")).toBe("default one-1.conf\n");
  });

  it("gives files that want one name different ones, unless they hold the same", async () => {
    const context = bootContext([
      LOADER,
      file("a/vmlinuz", linuxKernel("6.1.0", "a")),
      file("b/vmlinuz", linuxKernel("6.1.0", "b")),
      file("c/vmlinuz", linuxKernel("6.1.0", "a")),
      file("a/one.img", "1"),
      file("a/two.img", "2"),
    ]);
    const entry = { version: "6.1.0", initrds: ["/a/one.img", "/a/two.img"] };
    const installation = await installSystemdBoot(context, {
      entries: ["a", "b", "c"].map((title) => ({ ...entry, title, linux: `/${title}/vmlinuz` })),
    });
    const kernels = await Promise.all(
      ["a", "b", "c"].map(async (id) => {
        const text = await textOf(installation, `/boot/loader/entries/${id}-6.1.0.conf`);
        return text!.match(/^(?:linux|initrd) .*/gm);
      }),
    );
    const initrds = ["initrd /linux/6.1.0/initrd", "initrd /linux/6.1.0/initrd-2"];
    expect(kernels).toEqual([
      ["linux /linux/6.1.0/linux", ...initrds],
      ["linux /linux/6.1.0/linux-2", ...initrds],
      ["linux /linux/6.1.0/linux", ...initrds],
    ]);
  });

  it("overwrites no file that lies where a copy should go", async () => {
    const kernel = linuxKernel("6.1.0");
    const context = bootContext([
      LOADER,
      file("srv/vmlinuz", kernel),
      file("boot/Linux/1/linux", kernel),
      file("boot/Linux/2/linux", "another"),
    ]);
    const installation = await installSystemdBoot(context, {
      entries: ["1", "2"].map((version) => ({ title: version, id: version, version, linux: "/srv/vmlinuz" })),
    });
    const other = await installSystemdBoot(context, {
      entries: [{ title: "2", version: "2", linux: "/srv/vmlinuz" }],
    });
    expect(await textOf(installation, "/boot/loader/entries/1.conf")).toContain("linux /Linux/1/linux\n");
    expect(await textOf(other, "/boot/loader/entries/2-2.conf")).toContain("linux /Linux/2/linux-2\n");
    expect(pathsOf(installation)).toHaveLength(6);
    expect(other.warnings).toEqual([]);
  });

  it("copies a kernel that lies on the ESP when entries are on XBOOTLDR", async () => {
    const context = bootContext([LOADER, file("boot/efi/vmlinuz", linuxKernel("6.1.0"))], {
      esp: "/boot/efi",
      xbootldr: "/boot",
    });
    const installation = await installSystemdBoot(context, {
      entries: [{ title: "x", version: "1", linux: "/boot/efi/vmlinuz" }],
    });
    expect(pathsOf(installation)).toContain("/boot/linux/1/linux");
  });

  it("names what NixOS has in its store as NixOS does", async () => {
    const toplevel = "/nix/store/00000000000000000000000000000001-nixos-system-a";
    const kernel = "/nix/store/00000000000000000000000000000004-linux-6.6.30/bzImage";
    const initrd = "/nix/store/00000000000000000000000000000002-initrd-linux-6.6.30/initrd";
    const single = "/nix/store/00000000000000000000000000000006-board.dtb";
    const systemd = "/nix/store/0000000000000000000000000000000a-systemd";
    const context = bootContext([
      file(
        `${toplevel}/boot.json`,
        JSON.stringify({
          "org.nixos.bootspec.v1": {
            init: `${toplevel}/init`,
            kernel,
            initrd: `${toplevel}/initrd`,
            kernelParams: ["quiet"],
            label: "NixOS 24.05",
            toplevel,
          },
          "org.nixos.systemd-boot": { devicetree: single, sortKey: "mine" },
        }),
      ),
      link(`${toplevel}/initrd`, initrd),
      file(kernel, linuxKernel("6.6.30")),
      file(initrd, "initrd"),
      file(single, "tree"),
      link("nix/var/nix/profiles/system-3-link", toplevel),
      link("nix/var/nix/profiles/system", "system-3-link"),
      file(`${systemd}-minimal-255.4/lib/systemd/libsystemd.so`),
      file(`${systemd}-9.1/lib/systemd/boot/efi/systemd-bootx64.efi`, efiProgram("x64", "older")),
      file(`${systemd}-255.4/lib/systemd/boot/efi/systemd-bootx64.efi`, efiProgram("x64", "newer")),
    ]);
    const installation = await installSystemdBoot(context);
    expect(pathsOf(installation).slice(2)).toEqual([
      "/boot/loader/loader.conf",
      "/boot/loader/entries.srel",
      "/boot/loader/entries/nixos-generation-3.conf",
      "/boot/EFI/nixos/00000000000000000000000000000004-linux-6.6.30-bzImage.efi",
      "/boot/EFI/nixos/00000000000000000000000000000002-initrd-linux-6.6.30-initrd.efi",
      "/boot/EFI/nixos/00000000000000000000000000000006-board.dtb.efi",
    ]);
    expect(await textOf(installation, "/boot/EFI/BOOT/BOOTX64.EFI")).toMatch(/newer$/);
    expect(await textOf(installation, "/boot/loader/loader.conf")).toBe("default nixos-generation-3.conf\n");
    expect(await textOf(installation, "/boot/loader/entries/nixos-generation-3.conf")).toBe(
      [
        "title NixOS",
        "version Generation 3 NixOS 24.05",
        "sort-key mine",
        "linux /EFI/nixos/00000000000000000000000000000004-linux-6.6.30-bzImage.efi",
        "initrd /EFI/nixos/00000000000000000000000000000002-initrd-linux-6.6.30-initrd.efi",
        `options init=${toplevel}/init quiet`,
        "devicetree /EFI/nixos/00000000000000000000000000000006-board.dtb.efi",
        "",
      ].join("\n"),
    );
  });

  it("writes every key of loader.conf that is given, and ids as the loader has them", async () => {
    const context = bootContext([LOADER, KERNEL]);
    const installation = await installSystemdBoot(context, {
      loader: {
        timeout: "menu-force",
        default: "linux-6.1.0",
        editor: false,
        consoleMode: "max",
        beep: true,
        autoEntries: false,
        autoFirmware: true,
      },
    });
    expect(await textOf(installation, "/boot/loader/loader.conf")).toBe(
      "timeout menu-force\ndefault linux-6.1.0.conf\neditor no\nconsole-mode max\nbeep yes\nauto-entries no\nauto-firmware yes\n",
    );
  });

  it.each(["@saved", "debian-*", "linux-6.1.0.conf", "auto-windows", "my.efi"])(
    "leaves the default %s to the loader",
    async (pattern) => {
      const context = bootContext([LOADER, KERNEL]);
      const installation = await installSystemdBoot(context, { loader: { default: pattern } });
      expect(await textOf(installation, "/boot/loader/loader.conf")).toBe(`default ${pattern}\n`);
    },
  );

  it("refuses a configuration that the loader would not understand, all of it at once", async () => {
    const context = bootContext([LOADER, KERNEL]);
    const loader = { timeout: -1, consoleMode: "large" as "max", default: "debian" };
    await expect(installSystemdBoot(context, { loader })).rejects.toThrow(
      [
        "systemd-boot cannot be configured:",
        "timeout -1 is neither a number of seconds nor one of menu-force, menu-hidden, menu-disabled",
        "consoleMode large is neither the number of a mode nor one of auto, max, keep",
        "default debian is the id of no entry: there is linux-6.1.0",
      ].join("\n  "),
    );
    await expect(installSystemdBoot(context, { loader: { default: "a\nb" } })).rejects.toThrow(
      'default "a\\x0ab" is',
    );
  });

  it("keeps the configuration of the tree when none is asked for, and tells what it replaces", async () => {
    const kept = bootContext([
      LOADER,
      KERNEL,
      file("boot/loader/loader.conf", "timeout 9\n"),
      file("boot/loader/entries/linux-6.1.0.conf", "of before"),
      file("boot/loader/entries/Other.conf", "title Other\n"),
      file("boot/loader/entries.srel", "type1\n"),
      file("boot/EFI/Linux/image.efi", "a unified kernel image"),
    ]);
    const installation = await installSystemdBoot(kept);
    expect(pathsOf(installation)).not.toContain("/boot/loader/loader.conf");
    expect(installation.warnings).toEqual([
      "/boot/loader/entries/Other.conf: stays in the boot menu, beside the kernels that were found",
      "/boot/loader/entries/linux-6.1.0.conf: replaced",
    ]);
    expect((await installSystemdBoot(kept, { loader: { timeout: 1 } })).warnings).toContain(
      "/boot/loader/loader.conf: replaced",
    );
  });

  it("spells paths as the tree does, for a filesystem that knows one case", async () => {
    const context = bootContext([
      LOADER,
      KERNEL,
      file("boot/efi/boot/bootx64.efi", "a loader of before"),
      file("boot/Loader/other"),
    ]);
    const installation = await installSystemdBoot(context);
    expect(pathsOf(installation)).toEqual([
      "/boot/efi/systemd/systemd-bootx64.efi",
      "/boot/efi/boot/bootx64.efi",
      "/boot/Loader/loader.conf",
      "/boot/Loader/entries.srel",
      "/boot/Loader/entries/linux-6.1.0.conf",
    ]);
    expect(installation.efiEntries[0]!.path).toBe("/efi/systemd/systemd-bootx64.efi");
    expect(installation.warnings).toEqual(["/boot/efi/boot/bootx64.efi: replaced"]);
  });

  it("is content with what the tree has for the loader", async () => {
    const image = bootContext([LOADER, file("boot/EFI/Linux/image.efi")]);
    expect(pathsOf(await installSystemdBoot(image))).toHaveLength(4);
    const entry = bootContext([LOADER, file("efi/loader/entries/x.conf")], {
      esp: "/efi",
      xbootldr: "/boot",
    });
    expect((await installSystemdBoot(entry)).warnings).toEqual([]);
  });

  describe("the loader", () => {
    it("is installed for each architecture, what is signed before what is not", async () => {
      const context = bootContext([
        file("usr/lib/systemd/boot/efi/systemd-bootia32.efi", efiProgram("ia32")),
        file("usr/lib/systemd/boot/efi/systemd-bootx64.efi", efiProgram("x64", "plain")),
        file("usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed", efiProgram("x64", "signed")),
        KERNEL,
      ]);
      const installation = await installSystemdBoot(context);
      expect(pathsOf(installation).slice(0, 4)).toEqual([
        "/boot/EFI/systemd/systemd-bootia32.efi",
        "/boot/EFI/BOOT/BOOTIA32.EFI",
        "/boot/EFI/systemd/systemd-bootx64.efi",
        "/boot/EFI/BOOT/BOOTX64.EFI",
      ]);
      expect(await textOf(installation, "/boot/EFI/BOOT/BOOTX64.EFI")).toMatch(/signed$/);
      expect(installation.efiEntries).toEqual([
        { title: "Linux Boot Manager", path: "/EFI/systemd/systemd-bootx64.efi" },
      ]);
    });

    it("can be given", async () => {
      const content = bytesContent(efiProgram("aa64", "given"));
      const context = bootContext([LOADER, file("boot/Image", efiProgram("aa64"))]);
      const installation = await installSystemdBoot(context, { loaders: [content] });
      expect(pathsOf(installation).slice(0, 2)).toEqual([
        "/boot/EFI/systemd/systemd-bootaa64.efi",
        "/boot/EFI/BOOT/BOOTAA64.EFI",
      ]);
      expect(installation.files[0]!.content).toBe(content);
    });

    it("is refused when it is none", async () => {
      const loaders = [Uint8Array.of(1), efiProgram("x64"), efiProgram("x64")].map(bytesContent);
      await expect(installSystemdBoot(bootContext([KERNEL]), { loaders })).rejects.toThrow(
        [
          "the given systemd-boot cannot be used:",
          "number 1 is no program of UEFI",
          "number 3 is the second for x64: give one for each architecture",
        ].join("\n  "),
      );
      await expect(installSystemdBoot(bootContext([KERNEL]), { loaders: [] })).rejects.toThrow(
        "there is none",
      );
      const broken = file("usr/lib/systemd/boot/efi/systemd-bootx64.efi", "text");
      await expect(installSystemdBoot(bootContext([broken, KERNEL]))).rejects.toThrow(
        "/usr/lib/systemd/boot/efi/systemd-bootx64.efi: is no program of UEFI: install it again",
      );
      const other = file("usr/lib/systemd/boot/efi/systemd-bootx64.efi", efiProgram("aa64"));
      await expect(installSystemdBoot(bootContext([other, KERNEL]))).rejects.toThrow("is a program for aa64");
    });

    it("is missed with where it was looked for", async () => {
      await expect(installSystemdBoot(bootContext([KERNEL]))).rejects.toThrow(
        "the tree has no systemd-boot: looked for /usr/lib/systemd/boot/efi/systemd-boot*.efi and " +
          "/nix/store/*-systemd-*/lib/systemd/boot/efi/: install its package into the tree",
      );
    });
  });

  it("needs an EFI system partition", async () => {
    await expect(installSystemdBoot(bootContext([LOADER, KERNEL], { esp: undefined }))).rejects.toThrow(
      "systemd-boot needs an EFI system partition that is mounted, and the layout has none: choose efi, efixbootldr or hybrid",
    );
  });

  it("says where it looked for a kernel", async () => {
    await expect(installSystemdBoot(bootContext([LOADER, link("boot/vmlinuz", "x")]))).rejects.toThrow(
      "there is nothing that systemd-boot could start: looked for /boot/vmlinuz*, /boot/Image*, /usr/lib/modules/*/vmlinuz " +
        "and /lib/modules/*/vmlinuz, for NixOS in /nix/var/nix/profiles/system-*-link, and for entries of the tree's own in " +
        "loader/entries and EFI/Linux of the boot partition (/boot/vmlinuz: leads to no file in the tree: no boot entry is " +
        "made of it): install a kernel into the tree, or give an entry",
    );
    await expect(installSystemdBoot(bootContext([LOADER]), { entries: [] })).rejects.toThrow(
      "there is nothing that systemd-boot could start: the list of boot entries is empty",
    );
  });

  it("tells kernels that it cannot start", async () => {
    const foreign = file("boot/Image-6.2.0", efiProgram("aa64"));
    const found = await installSystemdBoot(bootContext([LOADER, KERNEL, foreign]));
    expect(found.warnings).toEqual([
      "/boot/Image-6.2.0: is for aa64, but the systemd-boot at hand is for x64: no boot entry is made of it",
    ]);
    expect(pathsOf(found)).not.toContain("/boot/loader/entries/linux-6.2.0.conf");
    await expect(installSystemdBoot(bootContext([LOADER, foreign]))).rejects.toThrow("is for aa64");
    const context = bootContext([LOADER, foreign, file("boot/plain", "text")]);
    await expect(
      installSystemdBoot(context, {
        entries: [
          { title: "a", linux: "/boot/Image-6.2.0" },
          { title: "b", linux: "/boot/plain" },
        ],
      }),
    ).rejects.toThrow(
      [
        "systemd-boot cannot start what it should:",
        "boot entry a: /boot/Image-6.2.0: is for aa64, but the systemd-boot at hand is for x64",
        "boot entry b: /boot/plain: is no program of UEFI, which systemd-boot needs: for a kernel, enable CONFIG_EFI_STUB",
      ].join("\n  "),
    );
  });

  it("refuses an initrd with a blank in its path, which kernels cannot be told", async () => {
    const context = bootContext([LOADER, KERNEL, file("boot/my initrd"), file("srv/my initrd")]);
    const entry = { title: "x", linux: "/boot/vmlinuz-6.1.0" };
    await expect(
      installSystemdBoot(context, { entries: [{ ...entry, initrds: ["/boot/my initrd"] }] }),
    ).rejects.toThrow("boot entry x: initrd /boot/my initrd: a blank cannot be in its path: rename it");
    const copied = await installSystemdBoot(context, {
      entries: [{ ...entry, initrds: ["/srv/my initrd"] }],
    });
    expect(pathsOf(copied)).toContain("/boot/linux/x/initrd");
  });

  it("gives the same files for the same tree", async () => {
    const build = () => installSystemdBoot(bootContext([LOADER, KERNEL, INITRD, DEBIAN]));
    expect(await build()).toEqual(await build());
  });
});

describe("withInstallation", () => {
  it("puts everything into the tree", async () => {
    const context = bootContext([LOADER, KERNEL]);
    const installation = await installSystemdBoot(context, { loader: { timeout: 2 } });
    const tree = withInstallation(context.tree, installation, 1234);
    expect(await treeText(tree, "/boot/loader/loader.conf")).toBe("timeout 2\n");
    expect(tree.columns.mtimeSeconds[tree.find("/boot/EFI/BOOT")!]).toBe(1234);
    for (const path of pathsOf(installation)) expect(tree.isFile(tree.find(path)!)).toBe(true);
    // Once more, nothing is new.
    const again = await installSystemdBoot({ ...context, tree }, { loader: { timeout: 2 } });
    expect(again.warnings).toEqual([]);
  });
});
