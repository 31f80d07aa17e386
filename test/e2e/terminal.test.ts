import { randomFillSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { diskwright, diskwrightInShell } from "../support/cli.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { onTerminal } from "../support/terminal.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const image = join(scratch, "disk.img");
const small = join(scratch, "small.img");
const ESCAPE = "\x1b";

beforeAll(() => {
  mkdirSync(tree);
  writeFileSync(small, randomFillSync(Buffer.alloc(1 << 20)));
  writeFileSync(join(tree, "noise"), randomFillSync(Buffer.alloc(8 << 20)));
});

/** The states of a line that was drawn over and over. */
const states = (shown: string): string[] => shown.split(/[\r\n]+/).map((line) => line.trimEnd());

describeWith(["script"], "progress on a terminal", () => {
  const commands: [string, string[]][] = [
    ["build", ["build", "--root", tree, "--layout", "none", "-o", image]],
    ["mkfs", ["mkfs", "ext4", tree, "-o", image]],
    ["convert", ["convert", image, join(scratch, "disk.qcow2")]],
    ["several outputs", ["build", "--root", tree, "-o", image, "-o", join(scratch, "disk.vmdk")]],
  ];

  it.each(commands)("%s: ends at its total, and goes away", (_, args) => {
    const { status, shown } = onTerminal(args);
    expect(status).toBe(0);
    const writing = states(shown).filter((line) => line.startsWith("writing"));
    expect(writing.at(-1)).toMatch(/^writing ━{24} 100 % {2}(.+) of \1$/);
    // What stays to be read is on lines of its own.
    expect(shown).toMatch(/\r *\rwrote [^\r]*\r\n/);
    expect(writing.every((line) => line.length < 80)).toBe(true);
  });

  it("covers the unpacking of an image as well", () => {
    run("gzip", ["-kf", small]);
    const converting = onTerminal(["convert", `${small}.gz`, image]);
    expect(
      states(converting.shown)
        .filter((line) => line.startsWith("unpacking"))
        .at(-1),
    ).toMatch(/^unpacking ━{24} 100 % {2}(.+ MiB) of \1$/);
    expect(onTerminal(["inspect", `${small}.gz`]).shown).toMatch(/\r *\rraw image/);
    expect(onTerminal(["inspect", `${small}.gz`, "--progress", "none"]).shown).toMatch(/^raw image/);
  });

  it("is a line of ASCII where the locale knows no more", () => {
    const { shown } = onTerminal(commands[0]![1], { LANG: "C" });
    expect(shown).toContain("writing ######################## 100 %");
  });

  it.each([
    ["CI", { CI: "true" }],
    ["TERM", { TERM: "dumb" }],
  ])("is none where %s says that nobody watches", (_, environment) => {
    const { status, shown } = onTerminal(commands[0]![1], environment);
    expect(status).toBe(0);
    expect(shown).toMatch(/^wrote .*\r\n$/);
  });

  it("takes no control sequence, and colours none with NO_COLOR", () => {
    const missing = ["build", "--root", join(scratch, "nowhere"), "-o", image];
    expect(onTerminal(commands[0]![1]).shown).not.toContain(ESCAPE);
    expect(onTerminal(missing).shown).toContain(`${ESCAPE}[31merror:${ESCAPE}[0m`);
    for (const environment of [{ NO_COLOR: "1" }, { TERM: "dumb" }])
      expect(onTerminal(missing, environment).shown).not.toContain(ESCAPE);
  });

  it("is as it is asked for", () => {
    expect(onTerminal([...commands[0]![1], "--progress", "none"]).shown).toMatch(/^wrote .*\r\n$/);
    expect(onTerminal([...commands[0]![1], "--quiet"]).shown).toBe("");
    const plain = onTerminal([...commands[0]![1], "--progress", "plain"]).shown;
    expect(plain).toMatch(/^(writing +\d+ % .*\r\n)*writing 100 % {2}(.+) of \2\r\nwrote .*\r\n$/);
  });
});

describe("an image on standard output", () => {
  const commands: [string, string[]][] = [
    ["build", ["build", "--root", tree, "--layout", "none", "-o", "-"]],
    ["mkfs ext4", ["mkfs", "ext4", tree, "-o", "-"]],
    ["mkfs fat", ["mkfs", "fat", tree, "-o", "raw-gzip:-"]],
    ["convert", ["convert", small, "-"]],
    ["convert to what is kept on its way", ["convert", small, "qcow2-compressed:-"]],
  ];

  describeWith(["script"], "which is a terminal", () => {
    it.each(commands)("%s: is refused before any work", (_, args) => {
      const { status, shown } = onTerminal(args);
      expect(status).toBe(2);
      expect(shown).toMatch(/^\S*error:\S* standard output is a terminal: .*\r\n$/);
    });

    it("is written with --force, and text without", () => {
      const forced = onTerminal(["convert", small, "-", "--force"]);
      expect(forced.status).toBe(0);
      expect(forced.shown.length).toBeGreaterThan(1 << 18);
      const text = onTerminal(["convert", small, "bmap:-"]);
      expect(text.status).toBe(0);
      expect(text.shown).toContain("<bmap");
    });
  });

  it.each(commands)("%s: is refused where it is closed", (_, args) => {
    const { status, stderr } = diskwrightInShell(args, ">&-");
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: standard output is closed: .*\n$/);
  });

  it("goes to where a shell throws it away", () => {
    expect(diskwrightInShell(["mkfs", "ext4", tree, "-o", "-"], "> /dev/null").status).toBe(0);
  });
});

it("names the directory that is missing before any work", () => {
  const output = join(scratch, "nowhere", "disk.img");
  const args = ["build", "--root", tree, "-o", image, "-o", output, "--progress", "plain"];
  const { status, stderr } = diskwright(args);
  expect(status).toBe(1);
  const variables = diskwright(["build", "--root", tree, "-o", image, "--efi-vars", image]);
  expect(variables).toMatchObject({ status: 2, stderr: `error: the output ${image} is named twice\n` });
  expect(stderr).toBe(`error: ${output}: there is no directory ${join(scratch, "nowhere")}: make it first\n`);
});

describe("progress where there is no terminal", () => {
  it("is none, or lines", () => {
    const args = ["mkfs", "ext4", tree, "-o", image];
    expect(diskwright(args).stderr).toMatch(/^wrote .*\n$/);
    expect(diskwright([...args, "--progress", "plain"]).stderr).toMatch(/^writing 100 % .*\nwrote .*\n$/);
    expect(diskwright([...args, "--progress", "plain", "-q"]).stderr).toBe("");
    expect(diskwright([...args, "--progress", "loud"])).toMatchObject({ status: 2 });
  });
});
