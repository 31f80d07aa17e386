import { utf8 } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { bytesContent, type Content, contentBytes, contentStart } from "../../extents/index.ts";
import { replacedFiles, withInstallation } from "../apply.ts";
import {
  collectEntries,
  type EfiArchitecture,
  type EntryOptions,
  efiArchitecture,
  HEADER_LENGTH,
  type LinuxEntry,
} from "../entries/index.ts";
import { spelledOnFat } from "../fat-path.ts";
import type { BootContext, BootFile, BootInstallation } from "../installation.ts";
import { planUki } from "./plan.ts";

/** What unified kernel images are made of. */
export interface UnifiedKernelOptions extends EntryOptions {
  /** The stubs that start them, one for each architecture. Default: those of the staged tree. */
  readonly stubs?: readonly Content[] | undefined;
}

/** Unified kernel images, where boot loaders look for them. */
export interface UnifiedKernels {
  /** The one to start when nobody chooses comes first. */
  readonly files: readonly BootFile[];
  readonly warnings: readonly string[];
}

const STUB_DIRECTORY = "/usr/lib/systemd/boot/efi";
const OS_RELEASE = ["/etc/os-release", "/usr/lib/os-release"];

/**
 * A unified kernel image (UAPI.5) of each kernel that could be booted, with its initrds and its command line, in
 * `EFI/Linux` of the boot partition, where systemd-boot finds it by itself.
 *
 * @throws DiskwrightError `INVALID_SPEC` when there is no boot partition, no stub, or no kernel; what
 *   {@link planUki} throws.
 */
export async function unifiedKernels(
  context: BootContext,
  options: UnifiedKernelOptions = {},
): Promise<UnifiedKernels> {
  const { tree, reader, esp, xbootldr } = context;
  const boot = xbootldr ?? esp;
  if (boot === undefined) {
    throw invalid(
      "unified kernel images need an EFI system partition that is mounted: choose efi, efixbootldr or hybrid, or add one",
    );
  }
  const { entries, defaultId, warnings } = await collectEntries(context, options);
  const kernels = entries.filter((entry): entry is LinuxEntry => entry.linux !== undefined);
  if (kernels.length === 0) {
    throw invalid(
      "there is no kernel to make a unified image of: install one into the tree (/boot/vmlinuz-*), or give an entry",
    );
  }
  const isDefault = ({ id }: LinuxEntry): number => Number(id === defaultId);
  const osRelease = OS_RELEASE.map((path) => contentAt(context, path)).find((found) => found !== undefined);
  const files: BootFile[] = [];
  for (const entry of [...kernels].sort((a, b) => isDefault(b) - isDefault(a))) {
    const kernel = contentAt(context, entry.linux)!;
    const architecture = efiArchitecture(await contentStart(kernel, reader, HEADER_LENGTH));
    if (architecture === undefined) {
      throw invalid(`${entry.linux}: is no program of UEFI: for a kernel, enable CONFIG_EFI_STUB`);
    }
    const { content } = planUki({
      stub: await contentBytes(await stubFor(context, architecture, options.stubs), reader),
      kernel,
      initrds: entry.initrds.map((path) => contentAt(context, path)!),
      deviceTree: entry.devicetree === undefined ? undefined : contentAt(context, entry.devicetree),
      commandLine: entry.options,
      uname: entry.version,
      osRelease: osRelease === undefined || osRelease.size === 0 ? bytesContent(namedBy(entry)) : osRelease,
    });
    files.push({ path: spelledOnFat(tree, boot, `/EFI/Linux/${entry.id}.efi`), content });
  }
  return { files, warnings };
}

/**
 * The first of the {@link unifiedKernels} where firmware itself starts it, with and without a variable: an image that
 * boots without a boot loader.
 */
export async function installUnifiedKernel(
  context: BootContext,
  options: UnifiedKernelOptions = {},
): Promise<BootInstallation> {
  const { esp, tree, reader } = context;
  const { files, warnings } = await unifiedKernels(context, options);
  const [first] = files;
  if (esp === undefined) throw invalid("firmware starts a kernel from an EFI system partition only: add one");
  const architecture = efiArchitecture(await contentStart(first!.content, reader, HEADER_LENGTH))!;
  const path = spelledOnFat(tree, esp, `/EFI/BOOT/BOOT${architecture.toUpperCase()}.EFI`);
  const file = { path, content: first!.content };
  return {
    files: [file],
    efiEntries: [{ title: "Linux", path: path.slice(esp.length) }],
    warnings: [...warnings, ...(await replacedFiles(context, [file]))],
  };
}

/** An os-release(5) for a tree that has none: systemd-boot passes over images whose system has no name. */
function namedBy({ title, sortKey, version }: LinuxEntry): Uint8Array {
  const fields = { ID: sortKey ?? "linux", PRETTY_NAME: title, VERSION_ID: version };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replace(/["$`\\]/g, "\\$&")}"\n`],
  );
  return utf8(lines.join(""));
}

/** The context with files in the staged tree. */
export function withFilesStaged(context: BootContext, files: readonly BootFile[]): BootContext {
  return { ...context, tree: withInstallation(context.tree, { files }, context.time) };
}

function contentAt({ tree }: BootContext, path: string): Content | undefined {
  const row = tree.resolve(path);
  return row === undefined || !tree.isFile(row) ? undefined : tree.content(row);
}

async function stubFor(
  context: BootContext,
  architecture: EfiArchitecture,
  given: readonly Content[] | undefined,
): Promise<Content> {
  const path = `${STUB_DIRECTORY}/linux${architecture}.efi.stub`;
  for (const content of given ?? []) {
    if (efiArchitecture(await contentStart(content, context.reader, HEADER_LENGTH)) === architecture) {
      return content;
    }
  }
  const found = given === undefined ? contentAt(context, path) : undefined;
  if (found !== undefined) return found;
  throw invalid(
    `there is no stub for unified kernel images of ${architecture}: install ${path} into the tree (Debian: ` +
      "systemd-boot-efi), or name a directory that has it (--boot-files)",
  );
}

function invalid(message: string): DiskwrightError {
  return new DiskwrightError("INVALID_SPEC", message);
}
