import { printable, utf8, utf8Text } from "../../bytes/index.ts";
import { contentStart } from "../../extents/index.ts";
import type { Tree } from "../../tree/index.ts";
import type { BootContext } from "../installation.ts";
import { type EfiArchitecture, HEADER_LENGTH } from "./architecture.ts";
import type { LinuxEntry } from "./entry.ts";
import { kernelFacts } from "./kernel-image.ts";
import { fileNamePart } from "./names.ts";
import type { BootSystem } from "./system.ts";
import { compareVersions } from "./version.ts";

/** A kernel that lies in the staged tree. */
export interface FoundKernel {
  /** Where it lies, and its initrds, over no symlink. */
  readonly path: string;
  readonly initrds: readonly string[];
  /** What its file name tells it apart by: `6.1.0-13-amd64` of `vmlinuz-6.1.0-13-amd64`; empty without one. */
  readonly suffix: string;
  /** What `uname -r` says when it runs, as far as can be seen. */
  readonly version: string | undefined;
  /** `undefined` when firmware cannot start it. */
  readonly architecture: EfiArchitecture | undefined;
}

/** The kernels of a tree, the newest first. */
export interface FoundKernels {
  readonly kernels: readonly FoundKernel[];
  readonly warnings: readonly string[];
}

const BOOT = "/boot";
const MODULES = ["/usr/lib/modules", "/lib/modules"];

/** Where is looked for kernels, for messages. */
export const KERNEL_PLACES =
  "/boot/vmlinuz*, /boot/Image*, /usr/lib/modules/*/vmlinuz and /lib/modules/*/vmlinuz";

const KERNEL_NAME = /^(?:vmlinuz|Image)(?:-(.+))?$/s;

/** Where a kernel may lie. */
interface Candidate {
  readonly directory: string;
  readonly name: string;
  readonly suffix: string;
}

/** Finds the kernels of a tree by the names that distributions give them, each with its initrds. */
export async function findKernels({ tree, reader }: BootContext): Promise<FoundKernels> {
  const warnings: string[] = [];
  const kernels: FoundKernel[] = [];
  const rows = new Set<number>();
  const versions = new Set<string>();
  for (const { directory, name, suffix } of [...bootCandidates(tree), ...moduleCandidates(tree)]) {
    const row = tree.resolve(`${directory}/${name}`);
    const path = printable(utf8(`${directory}/${name}`));
    const real = row === undefined ? undefined : utf8Text(tree.path(row));
    if (row === undefined || real === undefined || !tree.isFile(row)) {
      warnings.push(`${path}: leads to no file in the tree: no boot entry is made of it`);
      continue;
    }
    // Several names may lead to one file.
    if (rows.has(row)) continue;
    rows.add(row);
    const facts = kernelFacts(await contentStart(tree.content(row), reader, HEADER_LENGTH));
    const { architecture, release } = facts;
    if (architecture === undefined && release === undefined) {
      warnings.push(
        `${path}: is no Linux kernel that a boot loader could start: no boot entry is made of it`,
      );
      continue;
    }
    const namesVersion = /^\d/.test(suffix);
    if (namesVersion && release !== undefined && release !== suffix) {
      warnings.push(`${path}: is Linux ${release}, other than its name says`);
    }
    const version = release ?? (namesVersion ? suffix : undefined);
    // The same as one with a better name: `/boot/vmlinuz`, or where its package brought it.
    const mayBeCopy = directory !== BOOT || suffix === "";
    if (version !== undefined && versions.has(version) && mayBeCopy) continue;
    if (version !== undefined) versions.add(version);
    const initrds = findInitrds(tree, directory, [suffix, version ?? suffix], isForX86(architecture));
    kernels.push({ path: real, initrds, suffix, version, architecture });
  }
  return { kernels: kernels.sort(newestFirst), warnings };
}

function newestFirst(a: FoundKernel, b: FoundKernel): number {
  // What tells no version comes last; equally new ones are in the order of their names.
  return (
    Number(a.version === undefined) - Number(b.version === undefined) ||
    compareVersions(b.version ?? "", a.version ?? "") ||
    (a.path < b.path ? -1 : 1)
  );
}

/** Kernels in `/boot`: those first whose names say more than that they are one. */
function bootCandidates(tree: Tree): Candidate[] {
  const candidates = namesIn(tree, BOOT).flatMap((name) => {
    const match = KERNEL_NAME.exec(name);
    return match === null ? [] : [{ directory: BOOT, name, suffix: match[1] ?? "" }];
  });
  return [
    ...candidates.filter(({ suffix }) => suffix !== ""),
    ...candidates.filter(({ suffix }) => suffix === ""),
  ];
}

/** Kernels beside their modules, where packages put them for kernel-install(8) to take. */
function moduleCandidates(tree: Tree): Candidate[] {
  return MODULES.flatMap((modules) =>
    namesIn(tree, modules)
      .map((version) => ({ directory: `${modules}/${version}`, name: "vmlinuz", suffix: version }))
      .filter(({ directory, name }) => tree.resolve(`${directory}/${name}`) !== undefined),
  );
}

function namesIn(tree: Tree, directory: string): string[] {
  const row = tree.resolve(directory);
  if (row === undefined) return [];
  return [...tree.children(row)].flatMap((child) => utf8Text(tree.name(child)) ?? []);
}

/** The names of initrds, most telling first, by the suffix of their kernel. */
function initrdNames(suffix: string): string[] {
  if (suffix === "") return ["initrd.img", "initramfs.img", "initrd", "initramfs"];
  const stems = [`initrd.img-${suffix}`, `initramfs-${suffix}.img`, `initrd-${suffix}`];
  return [...stems, `initrd-${suffix}.img`, `initramfs-${suffix}`];
}

/** Kernels that no firmware starts are told by a header that only those of x86 have. */
function isForX86(architecture: EfiArchitecture | undefined): boolean {
  return architecture === undefined || architecture === "x64" || architecture === "ia32";
}

/** Updates for processors of x86, which Arch Linux keeps apart; the kernel wants them before all else. */
const MICROCODE = ["intel-ucode.img", "amd-ucode.img"].map((name) => `${BOOT}/${name}`);

/** The initrds of a kernel that is known by these suffixes. */
function findInitrds(tree: Tree, directory: string, suffixes: readonly string[], isX86: boolean): string[] {
  const beside = directory === BOOT ? [] : initrdNames("").map((name) => `${directory}/${name}`);
  const inBoot = suffixes.flatMap((suffix) => initrdNames(suffix).map((name) => `${BOOT}/${name}`));
  const initrd = [...beside, ...inBoot].flatMap((path) => filePath(tree, path) ?? [])[0];
  if (initrd === undefined) return [];
  const microcode = isX86 ? MICROCODE : [];
  return [...microcode.flatMap((path) => filePath(tree, path) ?? []), initrd];
}

/** The path of the file that a path leads to. */
function filePath(tree: Tree, path: string): string | undefined {
  const row = tree.resolve(path);
  return row !== undefined && tree.isFile(row) ? utf8Text(tree.path(row)) : undefined;
}

/** An entry for each kernel. `options` are those of all. */
export function kernelEntries(
  kernels: readonly FoundKernel[],
  { title, token, sortKey, machineId }: BootSystem,
  options: string,
): LinuxEntry[] {
  return kernels.map(({ path, initrds, suffix, version, architecture }) => ({
    id: fileNamePart(`${token}-${suffix || version || "linux"}`),
    title,
    version: version ?? (suffix || undefined),
    sortKey,
    machineId,
    architecture,
    linux: path,
    initrds,
    options,
  }));
}
