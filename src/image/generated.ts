import { compareBytes, utf8 } from "../bytes/index.ts";
import { bytesContent } from "../extents/index.ts";
import { type Tree, withFiles } from "../tree/index.ts";

/** A file that is written from the layout. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
  /** Seconds since 1970. */
  readonly time: number | undefined;
}

/** The tree with a file that root owns, in place of what has its path, of which a warning tells. */
export function withFile(tree: Tree, file: GeneratedFile, warnings: string[]): Tree {
  const { path, text, time } = file;
  const bytes = utf8(text);
  if (tree.find(path) !== undefined && !isSame(tree, path, bytes)) warnings.push(`${path}: replaced`);
  return withFiles(tree, [{ path, content: bytesContent(bytes) }], time);
}

function isSame(tree: Tree, path: string, bytes: Uint8Array): boolean {
  const row = tree.find(path)!;
  if (!tree.isFile(row)) return false;
  const content = tree.content(row);
  return content.type === "bytes" && compareBytes(content.bytes, bytes) === 0;
}
