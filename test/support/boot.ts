import type { BootContext, BootInstallation } from "../../src/boot/index.ts";
import { byteKey } from "../../src/bytes/index.ts";
import { contentBytes } from "../../src/extents/index.ts";
import { type Entry, type Tree, treeOf } from "../../src/tree/index.ts";

/** A context over some entries, in the layout `efi` unless told otherwise. */
export function bootContext(entries: Iterable<Entry>, changes: Partial<BootContext> = {}): BootContext {
  return {
    tree: treeOf(entries),
    reader: undefined,
    table: "gpt",
    sectorSize: 512,
    esp: "/boot",
    xbootldr: undefined,
    rootUuid: "0bd6ad12-7e77-4d7e-9a3c-2a4d1c6d0b11",
    rootDevice: "PARTUUID=6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10",
    time: undefined,
    ...changes,
  };
}

const MACHINES = { ia32: 0x014c, x64: 0x8664, aa64: 0xaa64, riscv64: 0x5064 };

/** The start of a program of UEFI, and something after it that tells it from others. */
export function efiProgram(architecture: keyof typeof MACHINES = "x64", mark = ""): Uint8Array {
  const bytes = new Uint8Array(1024 + mark.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(0x3c, 0x40, true);
  view.setUint32(0x40, 0x4550, true);
  view.setUint16(0x44, MACHINES[architecture], true);
  bytes.set(new TextEncoder().encode(mark), 1024);
  return bytes;
}

/** The start of a kernel for x64 with a release; an empty one tells none. */
export function linuxKernel(release: string, mark = ""): Uint8Array {
  const bytes = efiProgram("x64", mark);
  bytes.set(new TextEncoder().encode("HdrS"), 0x202);
  if (release === "") return bytes;
  new DataView(bytes.buffer).setUint16(0x20e, 0x100, true);
  bytes.set(new TextEncoder().encode(`${release} (someone@somewhere) #1 SMP\0`), 0x300);
  return bytes;
}

export function file(path: string, content: Uint8Array | string = path): Entry {
  return { path, type: "file", content };
}

export function link(path: string, target: string): Entry {
  return { path, type: "symlink", target };
}

/** A tree with a systemd-boot in it. */
export const LOADER: Entry = file(
  "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
  efiProgram("x64", "loader"),
);

/** The text of a file that is installed, a character for each byte, or `undefined` when it is not. */
export async function textOf(installation: BootInstallation, path: string): Promise<string | undefined> {
  const found = installation.files.find((one) => one.path === path);
  return found && byteKey(await contentBytes(found.content, undefined));
}

/** The paths that are installed. */
export function pathsOf({ files }: BootInstallation): string[] {
  return files.map(({ path }) => path);
}

/** The text of a file of a tree. */
export async function treeText(tree: Tree, path: string): Promise<string> {
  return byteKey(await contentBytes(tree.content(tree.find(path)!), undefined));
}
