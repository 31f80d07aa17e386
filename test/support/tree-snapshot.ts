import { createHash } from "node:crypto";
import { printable } from "../../src/bytes/index.ts";
import { contentBytes } from "../../src/extents/index.ts";
import { FileReader } from "../../src/node/index.ts";
import type { Tree } from "../../src/tree/index.ts";

/** All that a tree says of each entry, by path: what an image is made from. */
export async function treeSnapshot(tree: Tree): Promise<Map<string, unknown>> {
  const reader = new FileReader();
  const seen = new Map<string, unknown>();
  for (const entry of tree.entries()) {
    const { path, content, target, xattrs, ...rest } = entry;
    const bytes = content === undefined ? undefined : await contentBytes(content as never, reader);
    seen.set(printable(path as Uint8Array), {
      ...rest,
      target: target === undefined ? undefined : printable(target as Uint8Array),
      content: bytes && createHash("sha256").update(bytes).digest("hex"),
      size: bytes?.length,
      xattrs: xattrs && [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
    });
  }
  reader.close();
  return seen;
}
