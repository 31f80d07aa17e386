import { formatBytes, MIB } from "../../bytes/index.ts";
import { throwProblems } from "../../errors.ts";
import { type ContentReader, contentBytes } from "../../extents/index.ts";
import type { Tree } from "../../tree/index.ts";
import type { BootFile } from "../installation.ts";

/** No file of GRUB's that is read here has more: the largest modules have some 100 KiB. */
const LARGEST_FILE: number = 8 * MIB;

/** The directory in which GRUB keeps what belongs to one platform, such as `/usr/lib/grub/i386-pc`. */
export interface PlatformFiles {
  /** As it is told to people. */
  readonly directory: string;
  /** The names in it. */
  readonly names: readonly string[];
  /**
   * The bytes of these files, by name.
   *
   * @throws DiskwrightError `SOURCE_UNREADABLE`, naming all that are missing, or too large to be GRUB's.
   */
  read(names: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** A file of it as it is, for another place. */
  file(name: string, path: string): BootFile;
}

/** What to do when a file of GRUB's is missing; `packages` are Debian's names. */
export function howToGet(packages: string): string {
  return `install ${packages} in the tree, or name the directory of the host that holds its files (--boot-files /usr/lib/grub)`;
}

/** The files in a directory of a tree; `undefined` when it has none. `reader` opens files of the host. */
export function platformFiles(
  tree: Tree,
  directory: string,
  reader: ContentReader | undefined,
): PlatformFiles | undefined {
  const found = tree.resolve(directory);
  if (found === undefined || !tree.isDirectory(found)) return undefined;
  const rows = new Map<string, number>();
  const first = tree.columns.firstChild[found]!;
  for (let row = first; row < first + tree.columns.childCount[found]!; row++) {
    const path = tree.displayPath(row);
    const target = tree.isSymlink(row) ? tree.resolve(path) : row;
    if (target !== undefined && tree.isFile(target)) rows.set(path.slice(path.lastIndexOf("/") + 1), target);
  }
  return {
    directory,
    names: [...rows.keys()],
    async read(names): Promise<ReadonlyMap<string, Uint8Array>> {
      const problems = names.flatMap((name) => {
        const row = rows.get(name);
        if (row === undefined) return [`${name} is missing`];
        const size = tree.content(row).size;
        return size > LARGEST_FILE
          ? [`${name} has ${formatBytes(size)}, more than any file of GRUB's: is it another program's?`]
          : [];
      });
      throwProblems("SOURCE_UNREADABLE", `GRUB's files in ${directory} are not complete`, problems, {
        path: directory,
      });
      const read = new Map<string, Uint8Array>();
      for (const name of names) read.set(name, await contentBytes(tree.content(rows.get(name)!), reader));
      return read;
    },
    file(name, path): BootFile {
      const row = rows.get(name)!;
      return { path, content: tree.content(row), data: tree.data(row) };
    },
  };
}
