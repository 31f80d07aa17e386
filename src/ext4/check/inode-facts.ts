import type { Frame } from "../read/frame.ts";

/** What is remembered of the inodes of one group. */
interface GroupFacts {
  /** Types and {@link PRIVATE}; 0 for an inode that is not in use. */
  readonly kinds: Uint8Array;
  readonly links: Uint16Array;
  /** Names that lead to it; of a directory, also those of its subdirectories' "..". */
  readonly references: Uint32Array;
}

/** Belongs to the filesystem itself, and has no name. */
export const PRIVATE = 0x80;

/** What is remembered of all inodes in use: some bytes for each inode of the groups that have any. */
export class InodeFacts {
  readonly #perGroup: number;
  readonly #groups = new Map<number, GroupFacts>();

  constructor({ superblock }: Frame) {
    this.#perGroup = superblock.inodesPerGroup;
  }

  /** Notes an inode in use; `kind` is not 0. */
  use(inode: number, kind: number, links: number): void {
    const group = Math.floor((inode - 1) / this.#perGroup);
    let facts = this.#groups.get(group);
    if (facts === undefined) {
      const size = this.#perGroup;
      facts = {
        kinds: new Uint8Array(size),
        links: new Uint16Array(size),
        references: new Uint32Array(size),
      };
      this.#groups.set(group, facts);
    }
    const at = (inode - 1) % this.#perGroup;
    facts.kinds[at] = kind;
    facts.links[at] = links;
  }

  /** What kind an inode has; 0 when it is not in use. */
  kind(inode: number): number {
    const facts = this.#groups.get(Math.floor((inode - 1) / this.#perGroup));
    return facts?.kinds[(inode - 1) % this.#perGroup] ?? 0;
  }

  /** Counts a name that leads to an inode, and returns how many others there are; nothing for one not in use. */
  refer(inode: number): number {
    const facts = this.#groups.get(Math.floor((inode - 1) / this.#perGroup));
    const at = (inode - 1) % this.#perGroup;
    if (facts === undefined || facts.kinds[at] === 0) return 0;
    return facts.references[at]!++;
  }

  /** Those in use, in ascending order. */
  *inUse(): Generator<{ inode: number; kind: number; links: number; references: number }> {
    for (const [group, { kinds, links, references }] of this.#groups) {
      for (let at = 0; at < kinds.length; at++) {
        const kind = kinds[at]!;
        if (kind === 0) continue;
        const inode = group * this.#perGroup + at + 1;
        yield { inode, kind, links: links[at]!, references: references[at]! };
      }
    }
  }
}
