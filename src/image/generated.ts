import { compareBytes, utf8 } from "../bytes/index.ts";
import { bytesContent } from "../extents/index.ts";
import { fileMode, PLAIN_DIRECTORY, type Tree, TreeDraft } from "../tree/index.ts";

/** A file that is written from the layout. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
  /** Seconds since 1970. */
  readonly time: number | undefined;
}

/** The tree with a file that root owns, in place of what has its path. Missing directories are made. */
export function withFile(tree: Tree, file: GeneratedFile, warnings: string[]): Tree {
  const { path, text, time = 0 } = file;
  const draft = new TreeDraft();
  draft.lay(tree, new Uint8Array(0));
  const bytes = utf8(text);
  const existing = draft.find(utf8(path));
  if (existing !== undefined && !isSame(tree, path, bytes)) warnings.push(`${path}: replaced`);
  const attributes = { ...PLAIN_DIRECTORY, mtimeSeconds: time };
  const names = path.split("/").slice(1, -1);
  for (let depth = 1; depth <= names.length; depth++) {
    const parent = utf8(names.slice(0, depth).join("/"));
    if (draft.find(parent) === undefined) draft.put(parent, attributes);
  }
  const origin = draft.addOrigin({ content: () => bytesContent(bytes) });
  draft.put(utf8(path), { ...attributes, mode: fileMode.FILE | 0o644, size: bytes.length, origin });
  return draft.finish(`${path} cannot be written`);
}

function isSame(tree: Tree, path: string, bytes: Uint8Array): boolean {
  const row = tree.find(path)!;
  if (!tree.isFile(row)) return false;
  const content = tree.content(row);
  return content.type === "bytes" && compareBytes(content.bytes, bytes) === 0;
}
