import { utf8Text } from "../../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../../errors.ts";
import { type Content, contentStart } from "../../extents/index.ts";
import {
  compareVersions,
  EFI_ARCHITECTURES,
  type EfiArchitecture,
  efiArchitecture,
  HEADER_LENGTH,
} from "../entries/index.ts";
import type { BootContext } from "../installation.ts";

/** A systemd-boot for one architecture. */
export interface Loader {
  readonly architecture: EfiArchitecture;
  readonly content: Content;
}

const DIRECTORY = "/usr/lib/systemd/boot/efi";
const STORE = "/nix/store";

/** The name of a store path: its hash, `systemd` or `systemd-minimal`, and a version. */
const STORE_NAME = /^[0-9a-z]{32}-systemd(?:-[a-z]+)*-(\d.*)$/;

/**
 * The loaders to install: those that are given, or else all of the staged tree.
 *
 * @throws DiskwrightError `INVALID_SPEC` when there is none, or one is no program of UEFI for what it should be.
 */
export async function findLoaders(
  context: BootContext,
  given: readonly Content[] | undefined,
): Promise<readonly Loader[]> {
  return given === undefined ? await loadersOfTree(context) : await givenLoaders(context, given);
}

async function givenLoaders({ reader }: BootContext, given: readonly Content[]): Promise<Loader[]> {
  const loaders: Loader[] = [];
  const problems: string[] = [];
  for (const [index, content] of given.entries()) {
    const architecture = efiArchitecture(await contentStart(content, reader, HEADER_LENGTH));
    if (architecture === undefined) problems.push(`number ${index + 1} is no program of UEFI`);
    else if (loaders.some((other) => other.architecture === architecture)) {
      problems.push(`number ${index + 1} is the second for ${architecture}: give one for each architecture`);
    } else loaders.push({ architecture, content });
  }
  if (given.length === 0) problems.push("there is none: give one, or let it be looked for in the tree");
  throwProblems("INVALID_SPEC", "the given systemd-boot cannot be used", problems);
  return loaders;
}

async function loadersOfTree(context: BootContext): Promise<Loader[]> {
  const { tree, reader } = context;
  const directories = [DIRECTORY, ...storeDirectories(context)];
  const loaders: Loader[] = [];
  for (const architecture of EFI_ARCHITECTURES) {
    const name = `systemd-boot${architecture}.efi`;
    // What is signed for Secure Boot lies beside what is not, and comes first, as bootctl(1) has it.
    const paths = directories.flatMap((directory) => [`${directory}/${name}.signed`, `${directory}/${name}`]);
    const path = paths.find((candidate) => isFile(context, candidate));
    if (path === undefined) continue;
    const content = tree.content(tree.resolve(path)!);
    const found = efiArchitecture(await contentStart(content, reader, HEADER_LENGTH));
    if (found !== architecture) {
      const what = found === undefined ? "no program of UEFI" : `a program for ${found}`;
      throw new DiskwrightError("INVALID_SPEC", `${path}: is ${what}: install it again`, { path });
    }
    loaders.push({ architecture, content });
  }
  if (loaders.length > 0) return loaders;
  throw new DiskwrightError(
    "INVALID_SPEC",
    `the tree has no systemd-boot: looked for ${DIRECTORY}/systemd-boot*.efi and ${STORE}/*-systemd-*/lib/systemd/boot/efi/: ` +
      "install its package into the tree (Debian and Ubuntu: systemd-boot-efi, Fedora: systemd-boot-unsigned), or name a directory that has it (--boot-files)",
  );
}

function isFile({ tree }: BootContext, path: string): boolean {
  const row = tree.resolve(path);
  return row !== undefined && tree.isFile(row);
}

/** Where NixOS has it: in one of its store paths, the newest version first. */
function storeDirectories({ tree }: BootContext): string[] {
  const store = tree.resolve(STORE);
  if (store === undefined) return [];
  const found = [...tree.children(store)].flatMap((row) => {
    const name = utf8Text(tree.name(row)) ?? "";
    const version = STORE_NAME.exec(name)?.[1];
    return version === undefined ? [] : [{ name, version }];
  });
  found.sort((a, b) => compareVersions(b.version, a.version) || (a.name < b.name ? -1 : 1));
  return found.map(({ name }) => `${STORE}/${name}/lib/systemd/boot/efi`);
}
