import { printable } from "../bytes/index.ts";
import { joinedPath, lastName, nameRanges, type TreeDraft } from "../tree/index.ts";
import type { Layer } from "./layer.ts";

// Layers of container images say what they take away from the layers below by names of files
// (opencontainers/image-spec, layer.md, "Whiteouts"). Only the name counts: tools write empty files, but also hard
// links and devices.

const PREFIX = Uint8Array.of(0x2e, 0x77, 0x68, 0x2e); // .wh.
const OPAQUE = Uint8Array.of(0x2e, 0x77, 0x68, 0x2e, 0x2e, 0x77, 0x68, 0x2e, 0x2e, 0x6f, 0x70, 0x71); // .wh..wh..opq
const DOT = 0x2e;

/** What a name on a path of a layer makes of the entry. */
export type Role = "entry" | "whiteout" | "below a whiteout";

/** Whether a path is that of a whiteout, or of something below one. */
export function roleOf(path: Uint8Array): Role {
  // Most paths hold no such name, and this is looked at for each.
  if (!mentionsWhiteout(path)) return "entry";
  let role: Role = "entry";
  for (const { start, end } of nameRanges(path)) {
    if (role !== "entry") return "below a whiteout";
    if (hasPrefix(path.subarray(start, end), PREFIX)) role = "whiteout";
  }
  return role;
}

function mentionsWhiteout(path: Uint8Array): boolean {
  for (let at = path.indexOf(PREFIX[1]!); at >= 0; at = path.indexOf(PREFIX[1]!, at + 1)) {
    if (path[at + 1] === PREFIX[2] && path[at - 1] === DOT && path[at + 2] === DOT) return true;
  }
  return false;
}

/**
 * Takes out of a draft what the whiteouts of a layer hide, before the layer is laid over it: they concern the layers
 * below only, wherever in the layer they stand. `whiteouts` are their places in the layer.
 */
export function applyWhiteouts(
  draft: TreeDraft,
  layer: Layer,
  whiteouts: readonly number[],
  target: Uint8Array,
): void {
  // Those of directories come before those in them: what lies below a directory that is hidden is another one's.
  const depth = new Map(whiteouts.map((index) => [index, [...nameRanges(layer.path(index))].length]));
  for (const index of [...whiteouts].sort((a, b) => depth.get(a)! - depth.get(b)! || a - b)) {
    const path = joinedPath(target, layer.path(index));
    const { start, end } = lastName(path)!;
    const name = path.subarray(start, end);
    const parent = path.subarray(0, start);
    if (name.length === OPAQUE.length && hasPrefix(name, OPAQUE)) {
      const directory = draft.resolve(parent);
      if (directory !== undefined) for (const child of [...draft.children(directory)]) draft.remove(child);
      continue;
    }
    const hiddenName = name.subarray(PREFIX.length);
    // Further names that AUFS keeps for itself, such as .wh..wh.plnk.
    if (hasPrefix(hiddenName, PREFIX)) continue;
    if (hiddenName.every((byte) => byte === DOT) && hiddenName.length <= 2) {
      draft.problems.push(`${printable(layer.path(index))}: a whiteout must name an entry: .wh.NAME`);
      continue;
    }
    const hidden = draft.find(joinedPath(parent, hiddenName));
    if (hidden !== undefined) draft.remove(hidden);
  }
}

function hasPrefix(name: Uint8Array, prefix: Uint8Array): boolean {
  if (name.length < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) if (name[index] !== prefix[index]) return false;
  return true;
}
