import { joinedPath, type Tree, type TreeDraft } from "../tree/index.ts";

// Layers of container images say what they take away from the layers below by names of files
// (opencontainers/image-spec, layer.md, "Whiteouts").

const PREFIX = Uint8Array.of(0x2e, 0x77, 0x68, 0x2e); // .wh.
const OPAQUE = Uint8Array.of(0x2e, 0x77, 0x68, 0x2e, 0x2e, 0x77, 0x68, 0x2e, 0x2e, 0x6f, 0x70, 0x71); // .wh..wh..opq

/** Whether a name is that of a whiteout, or of something else that only the tool that made a layer needs. */
export function isWhiteout(name: Uint8Array): boolean {
  return startsWith(name, PREFIX);
}

/**
 * Takes out of a draft what a layer hides, before the layer is laid over it: whiteouts concern the layers
 * below only, wherever in the layer they stand.
 */
export function applyWhiteouts(draft: TreeDraft, layer: Tree, target: Uint8Array): void {
  for (let row = 1; row < layer.length; row++) {
    const name = layer.name(row);
    if (!isWhiteout(name)) continue;
    const parent = joinedPath(target, layer.path(layer.columns.parent[row]!));
    if (name.length === OPAQUE.length && startsWith(name, OPAQUE)) {
      const directory = draft.find(parent);
      if (directory !== undefined) for (const child of [...draft.children(directory)]) draft.remove(child);
    } else if (!startsWith(name.subarray(PREFIX.length), PREFIX)) {
      const hidden = draft.find(joinedPath(parent, name.subarray(PREFIX.length)));
      if (hidden !== undefined && hidden !== 0) draft.remove(hidden);
    }
  }
}

function startsWith(name: Uint8Array, prefix: Uint8Array): boolean {
  return name.length >= prefix.length && prefix.every((byte, index) => name[index] === byte);
}
