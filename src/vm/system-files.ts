import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { appendAll, utf8Text } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { type Awaitable, type ContentReader, contentBytes } from "../extents/index.ts";
import { reasonOf } from "../node/index.ts";
import type { Tree } from "../tree/index.ts";

/** What lies at a path. */
export type SystemFile =
  | { readonly type: "directory"; names(): Awaitable<readonly string[]> }
  | { readonly type: "file"; read(): Awaitable<Uint8Array> }
  | { readonly type: "symlink"; readonly target: string };

/** The files of a system: a staged tree, a directory of the host, or what an image holds. */
export interface SystemFiles {
  /**
   * What lies at an absolute path; `undefined` when there is nothing, or something else than files, directories
   * and symlinks. It is asked for the parts of a path first, so no symlink is to be followed.
   */
  look(path: string): Awaitable<SystemFile | undefined>;
}

/** A path over no symlink, and what lies there. */
export interface ResolvedFile {
  readonly path: string;
  readonly file: Exclude<SystemFile, { readonly type: "symlink" }>;
}

/** As many symlinks as Linux follows (path_resolution(7)). */
const MOST_LINKS = 40;

/** Follows a path and the symlinks in it, within the files. */
export async function resolveFile(files: SystemFiles, path: string): Promise<ResolvedFile | undefined> {
  const rest = namesOf(path).reverse();
  const done: string[] = [];
  for (let links = 0; rest.length > 0; ) {
    const name = rest.pop()!;
    if (name === "..") {
      done.pop();
      continue;
    }
    const file = await files.look(`/${[...done, name].join("/")}`);
    if (file === undefined || (file.type === "file" && rest.length > 0)) return undefined;
    if (file.type !== "symlink") {
      done.push(name);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    if (file.target.startsWith("/")) done.length = 0;
    appendAll(rest, namesOf(file.target).reverse());
  }
  const real = `/${done.join("/")}`;
  const file = await files.look(real);
  return file === undefined || file.type === "symlink" ? undefined : { path: real, file };
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** The names in a directory, in the order of their characters; none when it is no directory. */
export async function namesIn(files: SystemFiles, path: string): Promise<readonly string[]> {
  const found = await resolveFile(files, path);
  return found?.file.type === "directory" ? [...(await found.file.names())].sort() : [];
}

/** What a file holds; `undefined` when it is no file. */
export async function readFile(files: SystemFiles, path: string): Promise<Uint8Array | undefined> {
  const found = await resolveFile(files, path);
  return found?.file.type === "file" ? await found.file.read() : undefined;
}

/** A directory of the host as the files of a system; `/` for the host itself. Symlinks stay within it. */
export function hostFiles(root: string): SystemFiles {
  return {
    look(path): SystemFile | undefined {
      const real = join(root, path);
      const attempt = <Result>(action: () => Result): Result => {
        try {
          return action();
        } catch (error) {
          throw new DiskwrightError("SOURCE_UNREADABLE", `${real}: ${reasonOf(error)}`, {
            path: real,
            cause: error,
          });
        }
      };
      const stats = attempt(() => lstatSync(real, { throwIfNoEntry: false }));
      if (stats?.isDirectory()) return { type: "directory", names: () => attempt(() => readdirSync(real)) };
      if (stats?.isFile()) return { type: "file", read: () => attempt(() => readFileSync(real)) };
      if (stats?.isSymbolicLink()) return { type: "symlink", target: attempt(() => readlinkSync(real)) };
      return undefined;
    },
  };
}

/** A tree as the files of a system. `reader` opens what it holds of the host's files. Names that are no UTF-8 are left out. */
export function treeFiles(tree: Tree, reader: ContentReader | undefined): SystemFiles {
  return {
    look(path): SystemFile | undefined {
      const row = tree.find(path);
      if (row === undefined) return undefined;
      if (tree.isFile(row)) return { type: "file", read: () => contentBytes(tree.content(row), reader) };
      if (tree.isSymlink(row)) return { type: "symlink", target: utf8Text(tree.target(row)) ?? "" };
      return tree.isDirectory(row) ? { type: "directory", names: () => childNames(tree, row) } : undefined;
    },
  };
}

function childNames(tree: Tree, directory: number): string[] {
  return [...tree.children(directory)].flatMap((row) => utf8Text(tree.name(row)) ?? []);
}
