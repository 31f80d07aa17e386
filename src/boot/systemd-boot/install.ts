import { appendAll, utf8, utf8Text } from "../../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../../errors.ts";
import { bytesContent, type Content, contentStart } from "../../extents/index.ts";
import { replacedFiles } from "../apply.ts";
import {
  type BootEntry,
  type CollectedEntries,
  collectEntries,
  type EfiArchitecture,
  type EntryOptions,
  efiArchitecture,
  entryPaths,
  GENERATION_PLACES,
  HEADER_LENGTH,
  KERNEL_PLACES,
} from "../entries/index.ts";
import { spelledOnFat } from "../fat-path.ts";
import type { BootContext, BootFile, BootInstallation } from "../installation.ts";
import { entryText } from "./entry-text.ts";
import { type LoaderConfiguration, loaderConf, loaderProblems } from "./loader-conf.ts";
import { findLoaders, type Loader } from "./loaders.ts";
import { Placement } from "./placement.ts";

/** What systemd-boot is to start, and how. */
export interface SystemdBootOptions extends EntryOptions {
  /** The loader itself, for each architecture that is to boot. Default: those of the staged tree. */
  readonly loaders?: readonly Content[] | undefined;
  /** What goes into `loader.conf`. Default: what the tree has there, or else nothing but the default entry. */
  readonly loader?: LoaderConfiguration | undefined;
}

/**
 * What makes an image boot by systemd-boot: the loader, where firmware looks for it with and without a variable; its
 * configuration; an entry (UAPI.1, type 1) for each system; and copies of the kernels and initrds that do not lie on
 * the boot partition already. Unified kernel images in `EFI/Linux` are found by the loader itself. There is no seed
 * for random numbers: each copy of the image would have the same.
 *
 * @throws DiskwrightError `INVALID_SPEC` when there is no EFI system partition, no loader, nothing to boot, or an
 *   entry that cannot be; `CORRUPT` when a `boot.json` of NixOS is wrong.
 */
export async function installSystemdBoot(
  context: BootContext,
  options: SystemdBootOptions = {},
): Promise<BootInstallation> {
  const { esp } = context;
  if (esp === undefined) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "systemd-boot needs an EFI system partition that is mounted, and the layout has none: " +
        "choose efi, efixbootldr or hybrid, or add a partition of type esp with a mount point",
    );
  }
  const boot = context.xbootldr ?? esp;
  const loaders = await findLoaders(context, options.loaders);
  const collected = await collectEntries(context, options);
  const warnings = [...collected.warnings];
  const entries = await startable(context, collected, loaders, warnings);
  const ids = entries.map(({ id }) => id);
  const problems = loaderProblems(options.loader ?? {}, ids);
  throwProblems("INVALID_SPEC", "systemd-boot cannot be configured", [...problems]);
  const others = ownEntries(context, ids);
  if (ids.length === 0 && others.length === 0) throw nothingToStart(collected.origin, warnings);
  if (collected.origin === "kernels" && ids.length > 0) {
    const menu = others.filter((path) => /\.conf$/i.test(path));
    appendAll(
      warnings,
      menu.map((path) => `${path}: stays in the boot menu, beside the kernels that were found`),
    );
  }

  const placement = new Placement(context, boot, collected.system.token);
  const entryFiles = await writeEntries(context, boot, entries, placement);
  const configuration = configurationOf(context, esp, options.loader, collected, ids);
  const files: BootFile[] = [
    ...loaders.flatMap((loader) => loaderFiles(context, esp, loader)),
    ...(configuration === undefined ? [] : [configuration]),
    textFile(context, boot, "/loader/entries.srel", "type1\n"),
    ...entryFiles,
    ...placement.files,
  ];
  appendAll(warnings, await replacedFiles(context, files));
  const [architecture] = loaders.map((loader) => loader.architecture).sort(byPreference(entries));
  const program = spelledOnFat(context.tree, esp, loaderPath(architecture!)).slice(esp.length);
  return { files, efiEntries: [{ title: "Linux Boot Manager", path: program }], warnings };
}

function loaderPath(architecture: EfiArchitecture): string {
  return `/EFI/systemd/systemd-boot${architecture}.efi`;
}

/** The loader, where bootctl(1) puts it: under its own name, and where firmware looks that was told of none. */
function loaderFiles({ tree }: BootContext, esp: string, { architecture, content }: Loader): BootFile[] {
  // UEFI 2.10 §3.5.1.1; in upper case, so that FAT needs no long name for it.
  const fallback = `/EFI/BOOT/BOOT${architecture.toUpperCase()}.EFI`;
  return [loaderPath(architecture), fallback].map((path) => ({
    path: spelledOnFat(tree, esp, path),
    content,
  }));
}

function textFile({ tree }: BootContext, mount: string, path: string, text: string): BootFile {
  return { path: spelledOnFat(tree, mount, path), content: bytesContent(utf8(text)) };
}

/** Firmware of one architecture starts the loader: that of the first entry is the likeliest. */
function byPreference(entries: readonly BootEntry[]): (a: EfiArchitecture, b: EfiArchitecture) => number {
  const wanted = entries.find(({ architecture }) => architecture !== undefined)?.architecture ?? "x64";
  return (a, b) => Number(b === wanted) - Number(a === wanted);
}

/**
 * The entries that one of the loaders can start. A kernel for another architecture is left out with a warning when
 * it was only found, and is an error when it was asked for.
 */
async function startable(
  { tree, reader }: BootContext,
  { entries, origin }: CollectedEntries,
  loaders: readonly Loader[],
  warnings: string[],
): Promise<BootEntry[]> {
  const installed = loaders.map(({ architecture }) => architecture);
  const kept: BootEntry[] = [];
  const problems: string[] = [];
  for (const entry of entries) {
    const path = entry.linux ?? entry.efi;
    const start = await contentStart(tree.content(tree.resolve(path)!), reader, HEADER_LENGTH);
    const architecture = efiArchitecture(start);
    if (architecture !== undefined && installed.includes(architecture)) {
      kept.push(entry);
      continue;
    }
    const problem =
      architecture === undefined
        ? `${path}: is no program of UEFI, which systemd-boot needs: for a kernel, enable CONFIG_EFI_STUB`
        : `${path}: is for ${architecture}, but the systemd-boot at hand is for ${installed.join(", ")}`;
    if (origin === "kernels") warnings.push(`${problem}: no boot entry is made of it`);
    else problems.push(`boot entry ${entry.id}: ${problem}`);
  }
  throwProblems("INVALID_SPEC", "systemd-boot cannot start what it should", problems);
  return kept;
}

/** What the tree itself has for the menu, but for entries with these ids. */
function ownEntries({ tree, esp, xbootldr }: BootContext, ids: readonly string[]): string[] {
  const ours = new Set(ids.map((id) => `${id}.conf`.toLowerCase()));
  const places = [esp, xbootldr].flatMap((mount) =>
    mount === undefined
      ? []
      : [
          { directory: spelledOnFat(tree, mount, "/loader/entries"), ending: ".conf" },
          { directory: spelledOnFat(tree, mount, "/EFI/Linux"), ending: ".efi" },
        ],
  );
  return places.flatMap(({ directory, ending }) => {
    const row = tree.find(directory);
    if (row === undefined) return [];
    return [...tree.children(row)].flatMap((child) => {
      const name = utf8Text(tree.name(child))?.toLowerCase() ?? "";
      const isEntry = tree.isFile(child) && name.endsWith(ending) && !ours.has(name);
      return isEntry ? [tree.displayPath(child)] : [];
    });
  });
}

function nothingToStart(origin: CollectedEntries["origin"], warnings: readonly string[]): DiskwrightError {
  const reason = warnings.length === 0 ? "" : ` (${warnings.join("; ")})`;
  const found =
    origin === "given"
      ? "the list of boot entries is empty"
      : `looked for ${KERNEL_PLACES}, for NixOS in ${GENERATION_PLACES}, and for entries of the tree's own in ` +
        `loader/entries and EFI/Linux of the boot partition${reason}`;
  return new DiskwrightError(
    "INVALID_SPEC",
    `there is nothing that systemd-boot could start: ${found}: install a kernel into the tree, or give an entry`,
  );
}

async function writeEntries(
  context: BootContext,
  boot: string,
  entries: readonly BootEntry[],
  placement: Placement,
): Promise<BootFile[]> {
  const files: BootFile[] = [];
  const problems: string[] = [];
  for (const entry of entries) {
    const placed = new Map<string, string>();
    for (const [role, path] of entryPaths(entry)) {
      const onBoot = await placement.place(entry, role, path);
      placed.set(path, onBoot);
      // Kernels are told of them on the command line, whose parameters end with a blank.
      if (role === "initrd" && /\s/.test(onBoot)) {
        problems.push(`boot entry ${entry.id}: initrd ${path}: a blank cannot be in its path: rename it`);
      }
    }
    const text = entryText(entry, (path) => placed.get(path)!);
    files.push(textFile(context, boot, `/loader/entries/${entry.id}.conf`, text));
  }
  throwProblems("INVALID_SPEC", "systemd-boot cannot start what it should", problems);
  return files;
}

/** `loader.conf`, unless the tree has one and nothing was asked for. */
function configurationOf(
  context: BootContext,
  esp: string,
  asked: LoaderConfiguration | undefined,
  { defaultId }: CollectedEntries,
  ids: readonly string[],
): BootFile | undefined {
  const path = "/loader/loader.conf";
  const isThere = context.tree.find(spelledOnFat(context.tree, esp, path)) !== undefined;
  if (asked === undefined && isThere) return undefined;
  return textFile(context, esp, path, loaderConf({ ...asked, default: asked?.default ?? defaultId }, ids));
}
