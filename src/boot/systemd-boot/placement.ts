import { compareBytes, utf8Text } from "../../bytes/index.ts";
import { contentBytes } from "../../extents/index.ts";
import { type BootEntry, type EntryFile, fileNamePart } from "../entries/index.ts";
import { spelledOnFat } from "../fat-path.ts";
import type { BootContext, BootFile } from "../installation.ts";

/**
 * Brings what entries refer to onto the boot partition: the loader reads nothing else. What lies there already stays
 * where it is; what lies elsewhere in the tree is copied, once.
 */
export class Placement {
  readonly #context: BootContext;
  readonly #mount: string;
  readonly #token: string;
  /** Where each file of the tree, by its row, lies on the boot partition. */
  readonly #placed = new Map<number, string>();
  /** The row of what has each path of the boot partition, in upper case. */
  readonly #owners = new Map<string, number>();
  readonly files: BootFile[] = [];

  /** `mount` is where the boot partition is mounted; `token` what its directory for this system is called. */
  constructor(context: BootContext, mount: string, token: string) {
    this.#context = context;
    this.#mount = mount;
    this.#token = token;
  }

  /** The path on the boot partition, from its root, of a file that an entry refers to. */
  async place(entry: BootEntry, role: EntryFile, path: string): Promise<string> {
    const { tree } = this.#context;
    const resolved = tree.resolve(path)!;
    const row = tree.columns.primary[resolved]!;
    const before = this.#placed.get(row);
    if (before !== undefined) return before;
    // What is no UTF-8 cannot be written into an entry, so it is copied to a name that can.
    const real = utf8Text(tree.path(resolved)) ?? "";
    const placed = this.#isHere(real)
      ? real.slice(this.#mount.length)
      : await this.#copy(row, this.#wanted(entry, role, real));
    this.#placed.set(row, placed);
    return placed;
  }

  /** Whether a path of the tree lies on the boot partition, and on no other that is mounted below. */
  #isHere(path: string): boolean {
    const { esp, xbootldr } = this.#context;
    const mounts = [esp, xbootldr].filter((mount) => mount !== undefined && path.startsWith(`${mount}/`));
    const deepest = mounts.sort((a, b) => b!.length - a!.length)[0];
    return deepest === this.#mount;
  }

  /** Where a copy should go. */
  #wanted(entry: BootEntry, role: EntryFile, path: string): string {
    // As NixOS' own loader for systemd-boot has it: it takes away what no generation needs any more.
    const [, storeName, name] = /^\/nix\/store\/([^/]+)(?:\/(?:.*\/)?([^/]+))?$/.exec(path) ?? [];
    if (storeName !== undefined) {
      return `/EFI/nixos/${name === undefined ? storeName : `${storeName}-${name}`}.efi`;
    }
    // As kernel-install(8) has it, and UAPI.1 "Recommended Directory Layout for Additional Files".
    return `/${this.#token}/${fileNamePart(entry.version ?? entry.id) || entry.id}/${role}`;
  }

  /** Copies a file to a path or, when something else has it, to one like it. What is the same stays. */
  async #copy(row: number, wanted: string): Promise<string> {
    const { tree } = this.#context;
    for (let number = 1; ; number++) {
      const path = spelledOnFat(tree, this.#mount, number === 1 ? wanted : `${wanted}-${number}`);
      const placed = path.slice(this.#mount.length);
      const owner = this.#owners.get(placed.toUpperCase()) ?? tree.find(path);
      if (owner === undefined) {
        this.#owners.set(placed.toUpperCase(), row);
        this.files.push({ path, content: tree.content(row), data: tree.data(row) });
        return placed;
      }
      if (tree.isFile(owner) && (await this.#isSame(owner, row))) return placed;
    }
  }

  async #isSame(a: number, b: number): Promise<boolean> {
    const { tree, reader } = this.#context;
    const [one, other] = [tree.content(a), tree.content(b)];
    if (one.size !== other.size) return false;
    return compareBytes(await contentBytes(one, reader), await contentBytes(other, reader)) === 0;
  }
}
