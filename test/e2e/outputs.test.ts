import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { formatSize } from "../../src/bytes/index.ts";
import { diskwright, diskwrightInShell } from "../support/cli.ts";
import { scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const at = (name: string): string => join(scratch, name);
const small = at("small.img");

beforeAll(() => {
  mkdirSync(at("tree"));
  writeFileSync(at("tree/file"), "x".repeat(100_000));
  writeFileSync(small, "y".repeat(1 << 20));
});

describe("the name of an output", () => {
  it.each([
    ["disk.vmk", ".vmdk"],
    ["disk.qcow3", ".qcow2"],
    ["disk.VHX", ".vhdx"],
    ["disk.imgg", ".img"],
    ["disk.vhd.tmp", undefined],
    ["disk.foo", undefined],
  ])("%s: no format has such names, and %s is near", (name, near) => {
    const { status, stderr } = diskwright(["convert", small, at(name)]);
    const suffix = name.toLowerCase().slice(name.lastIndexOf("."));
    expect(stderr).toContain(
      `warning: ${at(name)}: no format has names that end in ${suffix}, so a raw image`,
    );
    if (near === undefined) expect(stderr).not.toContain("did you mean");
    else expect(stderr).toMatch(new RegExp(`did you mean .*\\${near}\\b`));
    expect(stderr).toContain(`wrote ${at(name)}: raw, 1 MiB\n`);
    expect(status).toBe(0);
  });

  it.each(["disk", "disk.raw", "root.ext4", "esp.fat", "disk.bin", "disk-1.2", ".hidden", "raw:disk.foo"])(
    "%s: gives no warning",
    (name) => {
      const output = name.startsWith("raw:") ? `raw:${at(name.slice(4))}` : at(name);
      expect(diskwright(["convert", small, output]).stderr).toMatch(/^wrote .*\n$/);
    },
  );

  it("gives no warning where the format is named, or where it is a device", () => {
    expect(diskwright(["convert", small, at("disk.foo"), "--format", "vdi"]).stderr).toMatch(/^wrote .*\n$/);
    expect(diskwright(["convert", small, "/dev/null", "--force"]).stderr).toMatch(/^wrote .*\n$/);
  });

  it("is looked at by build and mkfs as well", () => {
    const build = ["build", at("tree"), "--layout", "none", "--size", "minimal", "-o", at("disk.vdk")];
    expect(diskwright(build).stderr).toMatch(/names that end in \.vdk.*did you mean \.vdi, \.vmdk\?/);
    expect(diskwright(["mkfs", "ext4", at("tree"), "-o", at("root.qcw2")]).stderr).toContain(".qcow2");
  });
});

describe("what is said of an output", () => {
  it("is how large the file is, and the disk in it", () => {
    const outputs = ["disk.img", "disk.qcow2", "disk.img.bmap"];
    const { stderr } = diskwright(["build", at("tree"), ...outputs.flatMap((name) => ["-o", at(name)])]);
    const [raw, qcow2, bmap] = stderr.trimEnd().split("\n");
    const disk = formatSize(statSync(at("disk.img")).size);
    expect(raw).toBe(`wrote ${at("disk.img")}: efi, raw, ${disk}`);
    const size = (name: string): string => formatSize(statSync(at(name)).size);
    expect(qcow2).toBe(`wrote ${at("disk.qcow2")}: efi, qcow2, ${size("disk.qcow2")} for a disk of ${disk}`);
    expect(bmap).toBe(
      `wrote ${at("disk.img.bmap")}: efi, bmap, ${size("disk.img.bmap")} for a disk of ${disk}`,
    );
  });

  it("is in words that a reader has gone, and that a disk is full", () => {
    const args = ["mkfs", "ext4", at("tree"), "-o", "-"];
    expect(diskwrightInShell(args, "| head -c 1 > /dev/null").stderr).toBe(
      "error: standard output: the program that reads it has ended\n",
    );
    const full = diskwrightInShell(args, "> /dev/full");
    expect(full.stderr).toBe("error: standard output: no space left on the disk that holds it\n");
    expect(full.status).toBe(1);
  });

  it("is how much went to standard output", () => {
    const output = at("piped.gz");
    const { stderr } = diskwrightInShell(["mkfs", "fat", at("tree"), "-o", "raw-gzip:-"], `> '${output}'`);
    const { size } = statSync(output);
    expect(stderr).toMatch(
      new RegExp(
        `^wrote standard output: fat32, raw-gzip, ${formatSize(size)} for a filesystem of 32.*MiB, .* free`,
      ),
    );
  });
});
