import { throwProblems } from "../../errors.ts";
import type { BootContext } from "../installation.ts";
import { type BootEntry, checkEntries, entryPaths } from "./entry.ts";
import { nixosEntries } from "./generations.ts";
import { type GivenEntry, givenEntries } from "./given.ts";
import { findKernels, kernelEntries } from "./kernels.ts";
import { needsInitrd, withRoot } from "./options.ts";
import { type BootSystem, readSystem } from "./system.ts";

/** What the entries of a boot menu are made from. */
export interface EntryOptions {
  /** Entries of one's own, the first of which is started. Nothing else is looked for then. */
  readonly entries?: readonly GivenEntry[] | undefined;
  /**
   * The kernel command line of kernels that are found, and of given entries without one; what NixOS asks for is
   * extended by it. Default: that of the tree (`/etc/kernel/cmdline`), if it has one.
   */
  readonly kernelOptions?: string | undefined;
  /** The directory of a NixOS system in the tree. Default: all generations of the system profile. */
  readonly toplevel?: string | undefined;
  /** What the names of files on a boot partition start with. Default: that of the tree, or its os-release's ID. */
  readonly entryToken?: string | undefined;
}

/** The entries of a boot menu. */
export interface CollectedEntries {
  /** Those that should be shown first come first. */
  readonly entries: readonly BootEntry[];
  /** How they were found. */
  readonly origin: "given" | "nixos" | "kernels";
  /** The one to start when nobody chooses; `undefined` when that is the newest, whichever it will be. */
  readonly defaultId: string | undefined;
  readonly system: BootSystem;
  readonly warnings: readonly string[];
}

/**
 * The entries of a boot menu, for any boot loader: those that are given; else the generations of NixOS; else the
 * kernels that lie in the tree. There may be none.
 *
 * @throws DiskwrightError `INVALID_SPEC` with all entries that break a rule, or refer to what is not in the tree;
 *   `CORRUPT` when a `boot.json` is wrong.
 */
export async function collectEntries(
  context: BootContext,
  options: EntryOptions = {},
): Promise<CollectedEntries> {
  const system = await readSystem(context, options.entryToken);
  const found = await findEntries(context, options, system);
  const { entries } = found;
  checkEntries(entries);
  throwProblems("INVALID_SPEC", "the boot menu refers to what is not there", [...missing(context, entries)]);
  const blind = entries.filter(
    (entry) => entry.linux !== undefined && entry.initrds.length === 0 && needsInitrd(entry.options),
  );
  const warnings = blind.map(
    ({ id }) => `${id}: only an initrd finds a root by UUID= or LABEL=, and it has none: use root=PARTUUID=`,
  );
  return { ...found, system, warnings: [...system.warnings, ...found.warnings, ...warnings] };
}

type Found = Omit<CollectedEntries, "system">;

async function findEntries(context: BootContext, options: EntryOptions, system: BootSystem): Promise<Found> {
  const kernelOptions = options.kernelOptions ?? system.options ?? "";
  if (options.entries !== undefined) {
    const problems: string[] = [];
    const entries = givenEntries(options.entries, kernelOptions, context.rootDevice, problems);
    throwProblems("INVALID_SPEC", "the boot menu cannot be written", problems);
    return { entries, origin: "given", defaultId: entries[0]?.id, warnings: [] };
  }
  const nixos = await nixosEntries(context, system, options.toplevel, options.kernelOptions ?? "");
  if (nixos.entries.length > 0) return { ...nixos, origin: "nixos" };
  const { kernels, warnings } = await findKernels(context);
  const line = withRoot(kernelOptions, context.rootDevice);
  return {
    entries: kernelEntries(kernels, system, line),
    origin: "kernels",
    defaultId: undefined,
    warnings: [...nixos.warnings, ...warnings],
  };
}

function* missing({ tree }: BootContext, entries: readonly BootEntry[]): Generator<string> {
  for (const entry of entries) {
    for (const [key, path] of entryPaths(entry)) {
      const row = tree.resolve(path);
      if (row !== undefined && tree.isFile(row)) continue;
      const what = row === undefined ? "there is no such file in the tree" : "it is no file";
      yield `boot entry ${entry.id}: ${key} ${path}: ${what}`;
    }
  }
}
