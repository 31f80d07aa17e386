import { byteKey, u16 } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { namesIn, readFile, resolveFile, type SystemFiles } from "./system-files.ts";

/** A kernel, and where its modules lie. */
export interface Kernel {
  /** Where it was found, for messages. */
  readonly path: string;
  /** What `uname -r` says when it runs. */
  readonly release: string;
  readonly bytes: Uint8Array;
  readonly modules: KernelModules;
}

/** A directory of modules, such as `/lib/modules/6.1.0-13-amd64`. */
export interface KernelModules {
  readonly files: SystemFiles;
  readonly path: string;
}

/** What {@link findKernel} can be told. Paths are those of the files. */
export interface KernelOptions {
  /** The kernel. Default: the newest that is found at the places where systems have them. */
  readonly kernel?: string | undefined;
  /** The directory of its modules. Default: `/lib/modules/RELEASE`, or `/usr/lib/modules/RELEASE`. */
  readonly modules?: string | undefined;
}

const NIXOS_SYSTEM = "/nix/var/nix/profiles/system";
const MODULE_DIRECTORIES = ["/usr/lib/modules", "/lib/modules"];
const PLACES = `/boot/vmlinuz*, /boot/bzImage*, /lib/modules/*/vmlinuz, ${NIXOS_SYSTEM}/kernel`;

/**
 * Finds a kernel that QEMU can start on its own, and its modules, among the files of a system; of several, the newest
 * that has modules.
 *
 * @throws DiskwrightError `VM_NO_KERNEL` with all that was looked at; `VM_NO_MODULE` when none has modules.
 */
export async function findKernel(files: SystemFiles, options: KernelOptions = {}): Promise<Kernel> {
  const problems: string[] = [];
  const found: FoundKernel[] = [];
  for (const path of options.kernel === undefined ? await candidates(files) : [options.kernel]) {
    const resolved = await resolveFile(files, path);
    if (resolved?.file.type !== "file") {
      problems.push(`${path}: there is no such file`);
      continue;
    }
    if (found.some((other) => other.real === resolved.path)) continue;
    const bytes = await resolved.file.read();
    const header = kernelHeader(bytes);
    if ("problem" in header) problems.push(`${path}: ${header.problem}`);
    else found.push({ path, real: resolved.path, bytes, release: header.release });
  }
  if (found.length === 0) {
    const what =
      problems.length === 0 ? `no kernel was found (looked for ${PLACES})` : `no kernel can be started`;
    const list = problems.map((problem) => `\n  ${problem}`).join("");
    throw new DiskwrightError(
      "VM_NO_KERNEL",
      `${what}: put one into the tree (Debian: linux-image-cloud-amd64), or name it (--kernel)${list}`,
      { problems },
    );
  }
  found.sort((a, b) => RELEASES.compare(b.release, a.release));
  for (const { path, release, bytes } of found) {
    const modules = await findModules(files, release, options.modules);
    if (modules !== undefined) return { path, release, bytes, modules: { files, path: modules } };
  }
  const { path, release } = found[0]!;
  const looked = options.modules ?? MODULE_DIRECTORIES.map((at) => `${at}/${release}`).join(" and ");
  throw new DiskwrightError(
    "VM_NO_MODULE",
    `${path}: Linux ${release} has no modules (looked for ${looked}): put them into the tree, or name their directory (--modules)`,
    { path },
  );
}

interface FoundKernel {
  readonly path: string;
  readonly real: string;
  readonly release: string;
  readonly bytes: Uint8Array;
}

/** Numbers in them are compared as such: 6.1.0-9 comes before 6.1.0-13. */
const RELEASES = new Intl.Collator("en", { numeric: true });

async function candidates(files: SystemFiles): Promise<string[]> {
  const boot = (await namesIn(files, "/boot")).filter((name) => /^(?:vmlinuz|bzImage)/.test(name));
  const paths = boot.map((name) => `/boot/${name}`);
  const elsewhere: string[] = [];
  for (const directory of MODULE_DIRECTORIES) {
    for (const release of await namesIn(files, directory)) elsewhere.push(`${directory}/${release}/vmlinuz`);
  }
  elsewhere.push(`${NIXOS_SYSTEM}/kernel`);
  for (const path of elsewhere) if ((await resolveFile(files, path)) !== undefined) paths.push(path);
  return paths;
}

async function findModules(
  files: SystemFiles,
  release: string,
  named: string | undefined,
): Promise<string | undefined> {
  const usual = [...MODULE_DIRECTORIES, `${NIXOS_SYSTEM}/kernel-modules/lib/modules`];
  for (const path of named === undefined ? usual.map((at) => `${at}/${release}`) : [named]) {
    const found = await resolveFile(files, path);
    // A directory without it was left behind by a package that is gone.
    if (found?.file.type === "directory" && (await readFile(files, `${path}/modules.builtin`)) !== undefined)
      return found.path;
  }
  return undefined;
}

// The setup header of x86 (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
const MAGIC = { at: 0x202, text: "HdrS" };
const PROTOCOL_AT = 0x206;
/** Since this version there are flags. */
const PROTOCOL_WITH_FLAGS = 0x20c;
const FLAGS_AT = 0x236;
const FLAG_64_BIT = 1;
/** Where the text of the version starts, less 0x200. */
const VERSION_AT = 0x20e;
/** __NEW_UTS_LEN */
const LONGEST_RELEASE = 64;

/** What else starts in a way of its own (Linux, Documentation/arch/arm64/booting.rst and riscv/boot-image-header.rst). */
const OTHERS: readonly { readonly at: number; readonly bytes: string; readonly what: string }[] = [
  { at: 0x38, bytes: "ARM\x64", what: "is a kernel for arm64" },
  { at: 0x38, bytes: "RSC\x05", what: "is a kernel for RISC-V" },
  {
    at: 0,
    bytes: "\x7fELF",
    what: "is a kernel without the header that starts it (vmlinux); bzImage is needed",
  },
  { at: 0, bytes: "\x1f\x8b", what: "is compressed, so no kernel for x86" },
];

/** Reads the start of a kernel: its release, or why it is none that can be started here. */
export function kernelHeader(bytes: Uint8Array): { readonly release: string } | { readonly problem: string } {
  const text = (at: number, length: number): string => byteKey(bytes.subarray(at, at + length));
  const other = OTHERS.find(({ at, bytes: magic }) => text(at, magic.length) === magic);
  if (other !== undefined) return { problem: `${other.what}, one for x86-64 is needed` };
  if (text(MAGIC.at, MAGIC.text.length) !== MAGIC.text || bytes.length < FLAGS_AT + 2) {
    return { problem: "is no Linux kernel for x86" };
  }
  const flags = u16.decode(bytes, PROTOCOL_AT) < PROTOCOL_WITH_FLAGS ? 0 : u16.decode(bytes, FLAGS_AT);
  if ((flags & FLAG_64_BIT) === 0) return { problem: "is a kernel for 32 bits, one for x86-64 is needed" };
  const version = text(u16.decode(bytes, VERSION_AT) + 0x200, LONGEST_RELEASE + 1);
  const release = /^[!-~]{1,64}(?=[ \0])/.exec(version)?.[0];
  return release === undefined ? { problem: "does not tell its version: it is damaged" } : { release };
}
