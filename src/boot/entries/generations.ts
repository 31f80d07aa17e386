import { utf8, utf8Text } from "../../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../../errors.ts";
import { contentStart } from "../../extents/index.ts";
import { joinedPath, type Tree } from "../../tree/index.ts";
import type { BootContext } from "../installation.ts";
import { type Bootspec, type BootspecDocument, LONGEST_BOOTSPEC, parseBootspec } from "./bootspec.ts";
import type { LinuxEntry } from "./entry.ts";
import { fileNamePart } from "./names.ts";
import type { BootSystem } from "./system.ts";

/** A system of NixOS in the staged tree. */
interface Generation {
  readonly number: number;
  /** The directory of the system, over no symlink, for messages. */
  readonly toplevel: string;
  readonly row: number;
  readonly isDefault: boolean;
}

/** The entries of all generations of NixOS, the newest first, each followed by its specialisations. */
export interface NixosEntries {
  readonly entries: readonly LinuxEntry[];
  /** That of the current generation. */
  readonly defaultId: string | undefined;
  readonly warnings: readonly string[];
}

const PROFILES = "/nix/var/nix/profiles";
const CURRENT = `${PROFILES}/system`;
const LINK = /^system-(\d{1,9})-link$/;

/** Where is looked for generations, for messages. */
export const GENERATION_PLACES = `${PROFILES}/system-*-link`;

/**
 * The entries of the NixOS systems of a tree: those of all generations of the system profile or, when its directory
 * is given, of one system alone. What starts them is as NixOS' own loader for systemd-boot has it; `options` are
 * added to the kernel command line of each..
 *
 * @throws DiskwrightError `CORRUPT` when a `boot.json` is wrong; `INVALID_SPEC` when something that it names, or the
 *   directory that was given, is not in the tree.
 */
export async function nixosEntries(
  context: BootContext,
  system: BootSystem,
  toplevel: string | undefined,
  options: string,
): Promise<NixosEntries> {
  const { tree } = context;
  const warnings: string[] = [];
  /** Generations and variants may lack the same. */
  const problems = new Set<string>();
  const entries: LinuxEntry[] = [];
  let defaultId: string | undefined;
  for (const generation of findGenerations(tree, toplevel, warnings)) {
    const document = await readDocument(context, generation);
    if (document === undefined) {
      const message = `${generation.toplevel}/boot.json: missing: NixOS writes it since 23.05`;
      if (generation.isDefault)
        throw new DiskwrightError("INVALID_SPEC", message, { path: generation.toplevel });
      warnings.push(`${message}: no boot entry is made of generation ${generation.number}`);
      continue;
    }
    const variants: [string | undefined, Bootspec][] = [
      [undefined, document.spec],
      ...[...document.specialisations].sort(([a], [b]) => (a < b ? -1 : 1)),
    ];
    for (const [variant, spec] of variants) {
      const entry = entryOf(generation, variant, spec, system, options);
      entries.push(entry);
      if (generation.isDefault && variant === undefined) defaultId = entry.id;
      for (const problem of missingFiles(tree, generation, spec)) problems.add(problem);
      if (spec.initrdSecrets !== undefined) {
        warnings.push(
          `${entry.id}: ${spec.initrdSecrets} puts secrets into the initrd, but can only be run in the system itself: ` +
            "the initrd is as it is in the tree",
        );
      }
    }
  }
  throwProblems("INVALID_SPEC", "NixOS cannot be booted", [...problems]);
  return { entries, defaultId, warnings };
}

/** The generations of the tree, the newest first. */
function findGenerations(tree: Tree, toplevel: string | undefined, warnings: string[]): Generation[] {
  if (toplevel !== undefined) {
    const row = tree.resolve(toplevel);
    if (row === undefined || !tree.isDirectory(row)) {
      throw new DiskwrightError("INVALID_SPEC", `${toplevel}: there is no such system of NixOS in the tree`, {
        path: toplevel,
      });
    }
    return [{ number: 1, toplevel: tree.displayPath(row), row, isDefault: true }];
  }
  const directory = tree.resolve(PROFILES);
  if (directory === undefined) return [];
  const current = tree.find(CURRENT);
  /** The profile is a symlink to one of the generations, several of which may be the same system. */
  const currentName = current === undefined ? "" : (utf8Text(tree.target(current)) ?? "").split("/").at(-1)!;
  const currentRow = tree.resolve(CURRENT);
  const links = [...tree.children(directory)].flatMap((child) => {
    const name = utf8Text(tree.name(child)) ?? "";
    const number = LINK.exec(name)?.[1];
    if (number === undefined) return [];
    const row = tree.resolve(tree.path(child));
    if (row === undefined || !tree.isDirectory(row)) {
      warnings.push(`${PROFILES}/${name}: leads to no system in the tree: no boot entry is made of it`);
      return [];
    }
    return [{ name, number: Number(number), row }];
  });
  links.sort((a, b) => b.number - a.number);
  const byName = links.find(({ name }) => name === currentName);
  const isCurrent = byName ?? links.find(({ row }) => row === currentRow);
  return links.map((link) => ({
    number: link.number,
    toplevel: tree.displayPath(link.row),
    row: link.row,
    isDefault: link === isCurrent,
  }));
}

async function readDocument(
  { tree, reader }: BootContext,
  { toplevel, row: directory }: Generation,
): Promise<BootspecDocument | undefined> {
  const path = `${toplevel}/boot.json`;
  const row = tree.resolve(joinedPath(tree.path(directory), utf8("boot.json")));
  if (row === undefined || !tree.isFile(row)) return undefined;
  return parseBootspec(await contentStart(tree.content(row), reader, LONGEST_BOOTSPEC + 1), path);
}

function* missingFiles(tree: Tree, { toplevel }: Generation, spec: Bootspec): Generator<string> {
  const { kernel, initrd, devicetree } = spec;
  for (const [field, path] of Object.entries({ kernel, initrd, devicetree })) {
    if (path === undefined) continue;
    const row = tree.resolve(path);
    if (row === undefined || !tree.isFile(row)) {
      yield `${toplevel}/boot.json: ${field}: ${path} is not in the tree: copy the whole closure into it`;
    }
  }
}

function entryOf(
  { number }: Generation,
  variant: string | undefined,
  spec: Bootspec,
  { machineId }: BootSystem,
  options: string,
): LinuxEntry {
  const suffix = variant === undefined ? "" : `-specialisation-${variant}`;
  return {
    id: fileNamePart(`nixos-generation-${number}${suffix}`),
    title: variant === undefined ? "NixOS" : `NixOS (${variant})`,
    version: `Generation ${number} ${spec.label}`.trim(),
    sortKey: spec.sortKey || "nixos",
    machineId,
    linux: spec.kernel,
    initrds: spec.initrd === undefined ? [] : [spec.initrd],
    options: [`init=${spec.init}`, ...spec.kernelParams, options].join(" ").trim(),
    devicetree: spec.devicetree,
  };
}
