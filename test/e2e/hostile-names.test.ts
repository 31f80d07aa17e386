import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { diskwright } from "../support/cli.ts";

const scratch = mkdtempSync(join(tmpdir(), "diskwright-hostile-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Steers a terminal, in C0 and C1; turns what follows round; cannot be seen; ends a line for some programs. */
const HOSTILE = "a\x1b[31m\u009b2J\u202eb\u2066\u200b\ufeff\u2028\u061c";
const hostile = join(scratch, HOSTILE);
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const DECEPTIVE = /[\x00-\x09\x0b-\x1f\x7f-\x9f]|(?!\n)[\p{Cf}\p{Zl}\p{Zp}]/u;

mkdirSync(join(hostile, HOSTILE), { recursive: true });
writeFileSync(join(hostile, HOSTILE, "large"), new Uint8Array(100_000));
const spec = join(scratch, `${HOSTILE}.json`);
writeFileSync(
  spec,
  JSON.stringify({
    root: hostile,
    partitions: [{ name: HOSTILE, mount: "/", filesystem: { type: "ext4" } }],
  }),
);
const wrong = join(scratch, `${HOSTILE} wrong.yaml`);
writeFileSync(wrong, `"${HOSTILE.replaceAll("\x1b", "")}": 1\nlayout: "${HOSTILE.replaceAll("\x1b", "")}"\n`);
const image = join(scratch, `${HOSTILE}.img`);

describe("names that could steer a terminal", () => {
  it.each<[string, string[]]>([
    ["build", ["build", spec, "-o", image]],
    ["build, with progress", ["build", spec, "-o", `${image}2`, "--progress", "plain"]],
    ["plan", ["plan", spec]],
    ["plan as JSON", ["plan", spec, "--json"]],
    ["spec", ["spec", spec]],
    ["inspect", ["inspect", image]],
    ["inspect as JSON", ["inspect", image, "--json"]],
    ["convert", ["convert", image, join(scratch, `${HOSTILE}.qcow2`)]],
    ["a missing image", ["inspect", join(hostile, "missing")]],
    ["a missing source", ["mkfs", "ext4", join(hostile, "missing"), "-o", join(scratch, "x.img")]],
    ["a missing directory of an output", ["mkfs", "ext4", hostile, "-o", join(hostile, "no/x.img")]],
    ["an output that is a directory", ["mkfs", "ext4", hostile, "-o", hostile]],
    [
      "an entry that FAT cannot hold",
      ["mkfs", "fat", hostile, "-o", join(scratch, "fat.img"), "--size", "1M"],
    ],
    ["a label", ["mkfs", "ext4", hostile, "-o", join(scratch, "x.img"), "--label", HOSTILE]],
    ["a wrong spec", ["plan", wrong]],
    ["an option that there is not", ["plan", `--${HOSTILE}`]],
    ["a command that there is not", [HOSTILE]],
    ["a wrong size", ["plan", spec, "--size", HOSTILE]],
    ["a format that there is not", ["plan", spec, "--format", HOSTILE]],
    ["a layout that there is not", ["plan", hostile, "--layout", HOSTILE]],
    ["an owner that there is not", ["plan", hostile, "--owner", HOSTILE]],
    ["a manifest that is not there", ["plan", hostile, "--manifest", HOSTILE]],
    [
      "contents that are not there",
      ["plan", hostile, "--contents", `source: ${hostile}/nothing, target: /x`],
    ],
  ])("reach none in the output of %s", (_, args) => {
    const { stdout, stderr } = diskwright(args);
    const all = stdout + stderr;
    expect(all.length).toBeGreaterThan(0);
    expect(DECEPTIVE.exec(all), JSON.stringify(all)).toBeNull();
  });

  it("mean the same in JSON", () => {
    const { stdout } = diskwright(["plan", spec, "--json"]);
    expect(JSON.parse(stdout).table.partitions[0].name).toBe(HOSTILE);
    expect(JSON.parse(diskwright(["spec", spec]).stdout).root).toBe(hostile);
  });
});
