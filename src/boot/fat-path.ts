import { utf8, utf8Text } from "../bytes/index.ts";
import type { Tree } from "../tree/index.ts";

/**
 * A path below a mount point in the spelling that the tree has for it: FAT does not tell upper from lower case, so
 * `EFI/BOOT` goes where `efi/boot` is. What the tree does not have stays as it is.
 */
export function spelledOnFat(tree: Tree, mount: string, path: string): string {
  let directory = tree.find(mount);
  const names = path.split("/").filter((name) => name !== "");
  const spelled = names.map((name) => {
    const child = directory === undefined ? undefined : childOnFat(tree, directory, name);
    directory = child;
    return child === undefined ? name : (utf8Text(tree.name(child)) ?? name);
  });
  return `${mount}/${spelled.join("/")}`;
}

function childOnFat(tree: Tree, directory: number, name: string): number | undefined {
  const exact = tree.child(directory, utf8(name));
  if (exact !== undefined || !tree.isDirectory(directory)) return exact;
  const folded = name.toUpperCase();
  for (const child of tree.children(directory)) {
    if (utf8Text(tree.name(child))?.toUpperCase() === folded) return child;
  }
  return undefined;
}
