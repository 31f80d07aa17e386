import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { utf8Text } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { contentBytes } from "../../src/extents/index.ts";
import { stage } from "../../src/node/index.ts";
import type { Tree } from "../../src/tree/index.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { header, joined } from "../support/tar-writer.ts";

// GNU tar that unpacks one archive over the other, and keeps symlinks to directories, is the measure of archives that
// are laid over each other: where it does it without an error, the tree is the same.

const scratch = scratchDirectory();

interface Member {
  readonly type: "file" | "directory" | "symlink" | "hardlink";
  readonly path: string;
  readonly target: string;
}

const name = fc.constantFrom("usr", "lib", "bin", "a", "b");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("usr", "usr/lib", "lib", "a", "../usr", "/usr/lib", "../../a") },
  { weight: 1, arbitrary: path },
);
const member: fc.Arbitrary<Member> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("directory" as const), path, target }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("file" as const), path, target }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("symlink" as const), path, target }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("hardlink" as const), path, target: path }) },
);
/** Each archive has a path once: a second entry of a path is another matter. */
const archive = fc.uniqueArray(member, { selector: ({ path: own }) => own, minLength: 1, maxLength: 6 });

function archiveBytes(members: readonly Member[], layer: number): Uint8Array {
  const types = { file: "0", hardlink: "1", symlink: "2", directory: "5" };
  const parts = members.flatMap(({ type, path: own, target: link }, index) => {
    const text = type === "file" ? `layer ${layer}, member ${index}` : "";
    const mode = type === "directory" ? 0o755 : 0o644;
    const isLink = type === "symlink" || type === "hardlink";
    const head = header({ name: own, type: types[type], mode, size: text.length, link: isLink ? link : "" });
    return [head, joined(text, new Uint8Array((512 - (text.length % 512)) % 512))];
  });
  return joined(...parts, new Uint8Array(1024));
}

/** What lies in a directory: type, and content, target, or which names are one file. */
function unpacked(top: string): string[] {
  const names: string[] = [];
  const walk = (directory: string): void => {
    for (const own of readdirSync(join(top, directory))) {
      const path = directory === "" ? own : `${directory}/${own}`;
      names.push(path);
      if (lstatSync(join(top, path)).isDirectory()) walk(path);
    }
  };
  walk("");
  names.sort();
  const files = new Map<number, string>();
  return names.map((own) => {
    const full = join(top, own);
    const status = lstatSync(full);
    if (status.isDirectory()) return `${own} directory`;
    const first = files.get(status.ino) ?? own;
    files.set(status.ino, first);
    const what = status.isSymbolicLink() ? `-> ${readlinkSync(full)}` : readFileSync(full, "utf8");
    return `${own} ${what} (${first})`;
  });
}

async function staged(tree: Tree): Promise<string[]> {
  const rows = Array.from({ length: tree.length - 1 }, (_, index) => index + 1);
  const named = rows.map((row) => ({ row, own: utf8Text(tree.path(row))!.slice(1) }));
  named.sort((a, b) => (a.own < b.own ? -1 : 1));
  const files = new Map<number, string>();
  const lines: string[] = [];
  for (const { row, own } of named) {
    if (tree.isDirectory(row)) {
      lines.push(`${own} directory`);
      continue;
    }
    const primary = tree.columns.primary[row]!;
    const first = files.get(primary) ?? own;
    files.set(primary, first);
    const what = tree.isSymlink(row)
      ? `-> ${utf8Text(tree.target(row))}`
      : utf8Text(await contentBytes(tree.content(row), tree.reader));
    lines.push(`${own} ${what} (${first})`);
  }
  return lines;
}

describeWith(["tar"], "archives over each other", () => {
  it("give the tree that GNU tar unpacks, wherever it unpacks them without an error", async () => {
    let judged = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(archive, { minLength: 1, maxLength: 3 }), async (archives) => {
        const place = mkdtempSync(join(scratch, "case-"));
        const top = join(place, "top");
        mkdirSync(top);
        const paths = archives.map((members, layer) => {
          const file = join(place, `${layer}.tar`);
          writeFileSync(file, archiveBytes(members, layer));
          return file;
        });
        // Absolute targets must lead into the tree, as they will in the image.
        const isUnpacked = paths.every(
          (file) => run("tar", ["-x", "--keep-directory-symlink", "-C", top, "-f", file]).output === "",
        );
        fc.pre(isUnpacked && !archives.flat().some(({ target: link }) => link.startsWith("/")));
        judged++;
        try {
          const tree = await stage({ root: paths.map((source) => ({ source })) });
          expect(await staged(tree)).toEqual(unpacked(top));
        } catch (error) {
          if (!(error instanceof DiskwrightError)) throw error;
          throw new Error(`refused: ${error.message}`);
        }
      }),
      { numRuns: 60 },
    );
    expect(judged).toBeGreaterThan(30);
  });
});
