import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { diskwright, diskwrightInShell } from "../support/cli.ts";
import { run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const at = (name: string): string => join(scratch, name);
const common = ["--layout", "none", "--size", "minimal", "--time", "0", "--owner", "0:0", "--seed", "box"];

function built(args: readonly string[]): string {
  const { status, stderr } = diskwright(["build", ...args, ...common, "-o", at("disk.img")]);
  expect(stderr).toMatch(/^wrote /);
  expect(status).toBe(0);
  return createHash("sha256")
    .update(readFileSync(at("disk.img")))
    .digest("hex");
}

beforeAll(() => {
  mkdirSync(at("tree"));
  writeFileSync(at("tree/hello"), "hello\n");
  mkdirSync(at("over"));
  writeFileSync(at("over/more"), "more\n");
  for (const [name, how] of [
    ["tree.tar", "-cf"],
    ["tree.tgz", "-czf"],
    ["plain", "-cf"],
    ["packed", "-czf"],
    ["twice.yaml", "-cf"],
  ] as const)
    run("tar", [how, at(name), "--mtime=@0", "-C", at("tree"), "."]);
  spawnSync("touch", ["-d", "@0", at("tree"), at("tree/hello"), at("over"), at("over/more")]);
  writeFileSync(at("spec.yaml"), "root: tree\n");
  writeFileSync(at("spec"), "root: tree\n");
  mkdirSync(at("tree.json"));
  writeFileSync(at("tree.json/hello"), "hello\n");
  mkdirSync(join(scratch, "colon:"));
  mkdirSync(join(scratch, "colon:/dir"));
  mkdirSync(at("colon"));
});

it("points from the names of other programs to what does the same", () => {
  const hint = (...args: string[]): string => diskwright(args).stderr;
  expect(hint("info", "x.img")).toContain("(that is: diskwright inspect IMAGE)\n");
  expect(hint("mkfs", "ext3", "tree")).toContain("(that is: diskwright mkfs ext4 --type ext3)\n");
  expect(hint("constructor")).not.toContain("that is");
  expect(diskwright(["version"]).status).toBe(2);
});

it("says a small size once", () => {
  writeFileSync(at("few.img"), "few");
  expect(diskwright(["inspect", at("few.img")]).stdout).toMatch(/^raw image, 3 bytes, /);
});

describe("the argument of build", () => {
  it.each(["tree", "tree.tar", "tree.tgz", "plain", "packed", "spec", "spec.yaml"])(
    "%s: is taken for what it is",
    (name) => expect(built([at(name)])).toBe(built(["--root", at("tree")])),
  );

  it("is a tar on standard input, and a spec from a pipe", () => {
    const fromTree = built(["--root", at("tree")]);
    const args = ["build", "-", ...common, "-o", at("piped.img")];
    expect(diskwrightInShell(args, `< '${at("tree.tar")}'`).status).toBe(0);
    expect(readFileSync(at("piped.img"))).toEqual(readFileSync(at("disk.img")));
    const line = `cd '${scratch}' && "$@" <(echo 'root: tree')`;
    const shell = ["-c", line, "bash", process.execPath];
    const main = join(import.meta.dirname, "../../dist/bin/diskwright.js");
    const { status } = spawnSync("bash", [...shell, main, "build", ...common, "-o", at("piped.img")]);
    expect(status).toBe(0);
    expect(
      createHash("sha256")
        .update(readFileSync(at("piped.img")))
        .digest("hex"),
    ).toBe(fromTree);
  });

  it("goes below further roots, and to a target", () => {
    expect(built([at("tree"), "--root", at("over")])).toBe(
      built(["--root", at("tree"), "--root", at("over")]),
    );
    expect(built([`${at("tree")}:/opt`])).toBe(built(["--root", `${at("tree")}:/opt`]));
    // A name that exists is meant before a target is.
    expect(diskwright(["plan", at("colon:/dir"), ...common]).status).toBe(0);
    expect(diskwright(["spec", at("colon:/dir"), "--layout", "none"]).stdout).toContain(at("colon:/dir"));
  });

  it("is a directory whatever its name, and a spec by its name whatever it holds", () => {
    expect(diskwright(["plan", at("tree.json"), ...common]).status).toBe(0);
    const { status, stderr } = diskwright(["plan", at("twice.yaml")]);
    expect(status).toBe(2);
    expect(stderr).toContain("twice.yaml");
  });

  it("is refused in words when it is missing, or is something else", () => {
    const noise = at("noise.img");
    renameSync(at("disk.img"), noise);
    for (const command of ["build", "plan", "spec"]) {
      const missing = diskwright([command, at("nowhere"), ...(command === "build" ? ["-o", at("x")] : [])]);
      expect(missing.stderr).toBe(`error: ${at("nowhere")}: no such file or directory\n`);
      expect(missing.status).toBe(2);
    }
    const other = diskwright(["plan", noise]);
    expect(other.stderr).toMatch(/noise\.img: it is no directory, no tar, and no spec/);
    expect(other.status).toBe(2);
  });
});
