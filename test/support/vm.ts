import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { type Kernel, type SystemFiles, treeFiles } from "../../src/vm/index.ts";
import { elfFile } from "./elf.ts";

/** The files of a system, by their paths; text for links begins with `-> `. */
export function systemFiles(files: Readonly<Record<string, Uint8Array | string>>): SystemFiles {
  const entries = Object.entries(files).map(
    ([path, content]): Entry =>
      typeof content === "string" && content.startsWith("-> ")
        ? { path, type: "symlink", target: content.slice(3) }
        : { path, type: "file", content },
  );
  return treeFiles(treeOf(entries), undefined);
}

/** The start of a kernel as QEMU takes it. */
export function bzImage(
  release: string,
  changes: { readonly flags?: number; readonly protocol?: number } = {},
): Uint8Array {
  const bytes = Buffer.alloc(1024);
  bytes.write("HdrS", 0x202, "latin1");
  bytes.writeUInt16LE(changes.protocol ?? 0x20f, 0x206);
  bytes.writeUInt16LE(0x100, 0x20e);
  bytes.writeUInt16LE(changes.flags ?? 0x7f, 0x236);
  bytes.write(`${release} (someone@somewhere) #1 SMP\0`, 0x300, "latin1");
  return new Uint8Array(bytes);
}

/** A kernel that has everything built in. */
export function monolithicKernel(without: readonly string[] = []): Kernel {
  const path = "/lib/modules/6.1.0-fake";
  const builtin = ["virtio_pci", "virtio_blk", "virtio_console", "ext4", "vfat", "efivarfs"]
    .filter((name) => !without.includes(name))
    .map((name) => `kernel/${name}.ko\n`);
  const files = systemFiles({ [`${path}/modules.builtin`]: builtin.join("") });
  return {
    path: "/boot/vmlinuz",
    release: "6.1.0-fake",
    bytes: bzImage("6.1.0-fake"),
    modules: { files, path },
  };
}

/** A file that looks like a static busybox. */
export function fakeBusybox(directory: string): string {
  const path = join(directory, "busybox");
  writeFileSync(path, elfFile({}));
  return path;
}

/** A program that plays QEMU: one of the scenarios of `fake-qemu.mjs`. */
export function fakeQemu(directory: string, scenario: string): string {
  const path = join(directory, `qemu-${scenario}`);
  const player = join(import.meta.dirname, "fake-qemu.mjs");
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${player}" "$@" -fake ${scenario}\n`);
  chmodSync(path, 0o755);
  return path;
}
