import { spawnSync } from "node:child_process";
import { createReadStream, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { directory, tarArchive } from "../../src/node/index.ts";
import type { Tree } from "../../src/tree/index.ts";
import { IS_ROOT, makeHostTree } from "../support/host-tree.ts";
import { setXattr } from "../support/host-xattrs.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";

const scratch = scratchDirectory();
const root = join(scratch, "tree");
const programs = ["tar", "bsdtar", "python3", "gzip", "xz", "zstd"];

/** The tree with times in whole seconds: older formats have no others. */
const whole = join(scratch, "whole");

beforeAll(async () => {
  await makeHostTree(root);
  // No archive holds a socket.
  for (const name of readdirSync(root)) if (name === "socket") rmSync(join(root, name));
  setXattr(join(root, "one"), "user.binary", Buffer.from("ff80c0fe000a3d", "hex"));
  setXattr(join(root, "one"), "user.empty", "");
  setXattr(join(root, "a"), "user.of a directory", "yes");
  setXattr(
    join(root, "setuid"),
    "security.capability",
    Buffer.from("0100000200200000000000000000000000000000", "hex"),
  );
  spawnSync("setfacl", ["-m", "u:1000:rw,g:50:r", join(root, "block")]);
  spawnSync("cp", ["-a", root, whole]);
  spawnSync("find", [whole, "-depth", "-exec", "touch", "-h", "-d", "@1000000000", "{}", "+"]);
});

async function expectSame(tree: Tree, from: string, xattrs: "none" | "portable"): Promise<void> {
  const expected = await treeSnapshot(await directory(from, { xattrs }));
  const found = await treeSnapshot(tree);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [path, entry] of expected)
    expect({ path, ...(found.get(path) as object) }).toEqual({ path, ...(entry as object) });
}

function pack(program: string, ...args: string[]): string {
  const result = run(program, args);
  expect(result.status, result.output).toBe(0);
  return args[args.indexOf("-cf") + 1]!;
}

const XATTRS = ["--xattrs", "--xattrs-include=*", "--acls"];

describeWith(programs, "an archive is read as the directory that it was packed from", () => {
  it.each([
    ["posix", ["--format=posix", ...XATTRS]],
    ["posix, sparse 0.0", ["--format=posix", "-S", "--sparse-version=0.0", ...XATTRS]],
    ["posix, sparse 0.1", ["--format=posix", "-S", "--sparse-version=0.1", ...XATTRS]],
    ["posix, sparse 1.0", ["--format=posix", "-S", "--sparse-version=1.0", ...XATTRS]],
  ])("GNU tar, %s", async (name, options) => {
    const archive = pack("tar", "-C", root, "-cf", join(scratch, `${name}.tar`), ...options, ".");
    const isSparse = options.includes("-S");
    await expectSame(await tarArchive(archive, { holes: isSparse ? "keep" : "detect" }), root, "portable");
  });

  it.each([
    ["gnu", ["--format=gnu", "-S"]],
    ["oldgnu", ["--format=oldgnu", "-S"]],
  ])("GNU tar, %s", async (name, options) => {
    const archive = pack("tar", "-C", whole, "-cf", join(scratch, `${name}.tar`), ...options, ".");
    await expectSame(await tarArchive(archive), whole, "none");
  });

  it.each(["ustar", "v7"])("GNU tar, %s, as far as it goes", async (format) => {
    const plain = join(whole, "links");
    const archive = pack(
      "tar",
      "-C",
      plain,
      "-cf",
      join(scratch, `${format}.tar`),
      `--format=${format}`,
      ".",
    );
    await expectSame(await tarArchive(archive), plain, "none");
  });

  it.each(["pax", "gnutar"])("bsdtar, %s", async (format) => {
    const from = format === "pax" ? root : whole;
    const archive = pack(
      "bsdtar",
      "-C",
      from,
      "-cf",
      join(scratch, `bsd-${format}.tar`),
      `--format=${format}`,
      "--xattrs",
      "--acls",
      ".",
    );
    const tree = await tarArchive(archive, format === "pax" ? {} : { holes: "detect" });
    await expectSame(tree, from, format === "pax" ? "portable" : "none");
  });

  it.each(["GNU_FORMAT", "PAX_FORMAT"])("Python, %s", async (format) => {
    const archive = join(scratch, `${format}.tar`);
    const from = format === "PAX_FORMAT" ? root : whole;
    const script =
      "import sys, tarfile\n" +
      "t = tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[3]))\n" +
      "t.add(sys.argv[2], arcname='.')\nt.close()";
    const packed = run("python3", ["-c", script, archive, from, format]);
    expect(packed.status, packed.output).toBe(0);
    const expected = await treeSnapshot(await directory(from, { xattrs: "none" }));
    const found = await treeSnapshot(await tarArchive(archive, { holes: "detect", xattrs: "none" }));
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [path, entry] of expected) {
      const { mtime, ...rest } = entry as { mtime?: bigint };
      const { mtime: foundTime, ...foundRest } = found.get(path) as { mtime?: bigint };
      expect({ path, ...foundRest }).toEqual({ path, ...rest });
      // Python keeps times as floating point numbers.
      const off = Number((foundTime ?? 0n) - (mtime ?? 0n));
      expect(Math.abs(off), path).toBeLessThan(1000);
    }
  });

  it.each([
    ["gzip", ["-z"]],
    ["xz", ["-J"]],
    ["zstd", ["--zstd"]],
  ])("compressed by %s", async (name, options) => {
    const archive = pack(
      "tar",
      "-C",
      root,
      "-cf",
      join(scratch, `${name}.bin`),
      "--format=posix",
      "-S",
      ...XATTRS,
      ...options,
      ".",
    );
    await expectSame(await tarArchive(archive, { spoolDirectory: scratch }), root, "portable");
    expect(readdirSync(scratch).filter((file) => file.endsWith(".spool"))).toEqual([]);
  });

  it("out of an open file, which is not copied", async () => {
    const archive = pack(
      "tar",
      "-C",
      root,
      "-cf",
      join(scratch, "open.tar"),
      "--format=posix",
      "-S",
      ...XATTRS,
      ".",
    );
    const descriptor = openSync(archive, "r");
    await expectSame(
      await tarArchive({ descriptor, name: "x" }, { spoolDirectory: "/nowhere" }),
      root,
      "portable",
    );
  });

  it("leaves out what is excluded, and keeps what a hard link still names", async () => {
    const archive = pack("tar", "-C", root, "-cf", join(scratch, "excluded.tar"), "--format=posix", ".");
    const tree = await tarArchive(archive, { exclude: (path) => path === "/linked" || path === "/a" });
    const snapshot = await treeSnapshot(tree);
    expect(snapshot.has("/a")).toBe(false);
    expect(snapshot.has("/linked")).toBe(false);
    expect(snapshot.get("/links/again")).toBeDefined();
  });
});

it.runIf(IS_ROOT)("a truncated archive is told as such", async () => {
  const whole = run("tar", ["-C", root, "-cf", "-", "--format=posix", "many"]).status;
  expect(whole).toBe(0);
  const archive = pack("tar", "-C", root, "-cf", join(scratch, "cut.tar"), "--format=posix", ".");
  const bytes = await new Promise<Buffer>((resolve) => {
    const parts: Buffer[] = [];
    createReadStream(archive, { end: 1_000_100 })
      .on("data", (part) => parts.push(part as Buffer))
      .on("end", () => resolve(Buffer.concat(parts)));
  });
  writeFileSync(archive, bytes);
  await expect(tarArchive(archive)).rejects.toThrow(
    /cut\.tar: the archive ends at byte \d+ in the middle of/,
  );
});
