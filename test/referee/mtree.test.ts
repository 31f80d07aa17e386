import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { readMtree } from "../../src/mtree/index.ts";
import { directory } from "../../src/node/index.ts";
import { accountsOf, applyManifest } from "../../src/ownership/index.ts";
import { TreeDraft } from "../../src/tree/index.ts";
import { IS_ROOT, makeHostTree } from "../support/host-tree.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";

const scratch = scratchDirectory();
const root = join(scratch, "tree");
const copy = join(scratch, "copy");

beforeAll(async () => {
  await makeHostTree(root);
  for (const name of readdirSync(root)) if (name === "socket") rmSync(join(root, name));
  for (const name of ["#hash", "star*", "[set]", "back\\slash", "new\nline", "tab\t", "blank  s"]) {
    writeFileSync(join(root, name), name, { mode: 0o640 });
  }
  spawnSync("chown", ["-R", "1234:5678", join(root, "many")]);
  // A copy as somebody has it who may not make devices or give files away.
  spawnSync("cp", ["-a", root, copy]);
  spawnSync("find", [copy, "(", "-type", "b", "-o", "-type", "c", "-o", "-type", "p", ")", "-delete"]);
  spawnSync("chown", ["-hR", "1000:1000", copy]);
  spawnSync("chmod", ["-R", "u=rwX,go=", copy]);
  spawnSync("find", [copy, "-depth", "-exec", "touch", "-h", "-d", "@1", "{}", "+"]);
});

describeWith(["bsdtar"], "a manifest of bsdtar", () => {
  it.runIf(IS_ROOT).each([
    ["all keywords", "all"],
    ["those of the standard", "!all,type,mode,uid,gid,time,link,device"],
    ["set lines", "use-set,indent"],
  ])("with %s gives a plain copy what the tree had", async (_, options) => {
    const file = join(scratch, "manifest");
    const packed = run("bsdtar", [
      "-C",
      root,
      "-cf",
      file,
      "--format=mtree",
      `--options=mtree:${options.split(",").join(",mtree:")}`,
      ".",
    ]);
    expect(packed.status, packed.output).toBe(0);
    const draft = new TreeDraft();
    draft.lay(await directory(copy, { xattrs: "none" }), utf8(""));
    const warnings: string[] = [];
    applyManifest(
      draft,
      readMtree(readFileSync(file), "manifest"),
      accountsOf(undefined, undefined),
      warnings,
    );
    const found = await treeSnapshot(draft.finish());
    const expected = await treeSnapshot(await directory(root, { xattrs: "none" }));
    expect(warnings).toEqual([]);
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [path, entry] of expected)
      expect({ path, ...(found.get(path) as object) }).toEqual({ path, ...(entry as object) });
  });
});
