import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { diskwright, MAIN } from "../support/cli.ts";
import { setXattr } from "../support/host-xattrs.ts";
import { run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
mkdirSync(tree);
writeFileSync(join(tree, "file"), "");
const hasXattrs = setXattr(join(tree, "file"), "user.comment", "text");

const fat = ["mkfs", "fat", tree, "--bits", "12", "-o", join(scratch, "fat.img")];
const lost = "warning: 1 entry has extended attributes, which FAT cannot hold: /file\n";

describe("--xattrs", () => {
  it.runIf(hasXattrs)("keeps the portable ones unless it says otherwise", () => {
    for (const options of [[], ["--xattrs", "portable"], ["--xattrs", "all"]]) {
      const { status, stderr } = diskwright([...fat, ...options]);
      // On a host with SELinux, "all" finds more of them.
      expect(stderr).toMatch(/^warning: .* extended attributes, which FAT cannot hold: \/.*\nwrote /);
      expect(status).toBe(0);
    }
    expect(diskwright([...fat, "--quiet"]).stderr).toBe(lost);
    expect(diskwright([...fat, "--quiet", "--xattrs", "none"]).stderr).toBe("");
  });

  it("refuses another word", () => {
    const { status, stderr } = diskwright([...fat, "--xattrs", "some"]);
    expect(stderr).toContain("none, portable, all");
    expect(status).toBe(2);
  });
});

describe("without the package that reads extended attributes", () => {
  // As it is installed where the package has no code for the system, or by --omit=optional.
  const place = join(scratch, "installed");
  const root = join(dirname(MAIN), "../..");
  mkdirSync(join(place, "node_modules"), { recursive: true });
  cpSync(join(root, "dist"), join(place, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(place, "package.json"));
  for (const name of ["buffer-layout", "commander", "crc-32", "uuid"]) {
    symlinkSync(join(root, "node_modules", name), join(place, "node_modules", name));
  }
  const without = (options: string[]): ReturnType<typeof run> =>
    run(process.execPath, [join(place, "dist/bin/diskwright.js"), ...fat, ...options]);

  it("says once that they are not read, and how they would be", () => {
    const { status, stderr } = without([]);
    expect(stderr).toMatch(
      new RegExp(
        "^note: extended attributes \\(capabilities, ACLs and others\\) are not read: the package @napi-rs/xattr " +
          'is not installed: run "npm install @napi-rs/xattr", or set xattrs to none\nwrote .*\n$',
      ),
    );
    expect(status).toBe(0);
    expect(without(["--quiet"])).toMatchObject({ stderr: "", status: 0 });
  });

  it("says nothing when none are wanted, and fails when some are", () => {
    expect(without(["--xattrs", "none"]).stderr).toMatch(/^wrote .*\n$/);
    const { status, stderr } = without(["--xattrs", "all"]);
    expect(stderr).toMatch(/^error: .*npm install @napi-rs\/xattr/);
    expect(status).toBe(1);
  });
});
