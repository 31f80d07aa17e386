import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FORMAT_NAMES, type FormatName } from "../../src/formats/index.ts";
import { type CliResult, diskwright, MAIN } from "../support/cli.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

// The bundle, copied to where nothing else of the project is.

const scratch = scratchDirectory();
const at = (name: string): string => join(scratch, name);
const folder = at("moved");

function moved(...args: string[]): CliResult {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "diskwright.js"), ...args], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
    cwd: scratch,
  });
  return { status, stdout, stderr };
}

beforeAll(() => {
  cpSync(dirname(MAIN), folder, { recursive: true });
  mkdirSync(at("tree/sub"), { recursive: true });
  writeFileSync(at("tree/text"), "All work and no play makes Jack a dull boy. ".repeat(50_000));
  writeFileSync(at("tree/sub/.hidden"), "hidden");
});

it("needs nothing but Node and the package that is optional", () => {
  const code = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const needed = code.flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return [...text.matchAll(/\b(?:require|import)\(\s*["']([^"']+)["']/g)].map((match) => match[1]!);
  });
  const others = needed.filter((name) => !isBuiltin(name) && !name.startsWith("./"));
  expect(new Set(others)).toEqual(new Set(["@napi-rs/xattr"]));
  expect(needed.length).toBeGreaterThan(code.length);
});

it("knows its version, and has help for every command", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
  expect(moved("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  for (const command of ["build", "plan", "spec", "mkfs", "inspect", "convert", "vm", "run", "doctor"])
    expect(moved(command, "--help")).toEqual(diskwright([command, "--help"], { NO_COLOR: "1" }));
});

describe("writes the same bytes as in its place", () => {
  const build = [
    "build",
    at("tree"),
    "--owner",
    "0:0",
    "--xattrs",
    "none",
    "--layout",
    "none",
    "--seed",
    "box",
    "-q",
  ];
  const outputsIn = (place: string, formats: readonly FormatName[]): string[] =>
    formats.flatMap((format) => ["-o", `${format}:${at(`${place}.${format}`)}`]);

  it.each([
    ["Node's libraries", []],
    ["packages", ["--portable"]],
  ])("in every format, compressed by %s", (_, options) => {
    const args = [...build, "--size", "64M", "--workers", "2", ...options];
    // It takes whole gibibytes.
    const formats = FORMAT_NAMES.filter((format) => format !== "gce");
    expect(moved(...args, ...outputsIn("there", formats))).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(diskwright([...args, ...outputsIn("here", formats)]).stderr).toBe("");
    for (const format of formats) {
      const [there, here] = [at(`there.${format}`), at(`here.${format}`)];
      expect(run("cmp", [there, here]).output).toBe("");
      if (format !== "bmap") expect(moved("inspect", there).stdout).toContain("ext4");
    }
  });

  describeWith(["tar", "xz", "zstd"], "from every kind of source", () => {
    it.each([
      ["gzip", "-czf"],
      ["xz", "-cJf"],
      ["zstd", "--zstd -cf"],
    ])("a tar compressed by %s, with patterns and a manifest", (name, flags) => {
      const tar = at(`tree.tar.${name}`);
      expect(run("tar", [...flags.split(" "), tar, "-C", at("tree"), "."]).output).toBe("");
      writeFileSync(at("manifest.mtree"), "#mtree\n./text mode=600 uid=7\n");
      const args = ["plan", tar, "--exclude", "*.hidden", "--manifest", at("manifest.mtree"), "--json"];
      const there = moved(...args);
      expect(there.stderr).toBe("");
      expect(there.stdout).toBe(diskwright(args).stdout);
    });
  });

  it("from a spec, with a boot loader that is not there", () => {
    writeFileSync(at("spec.yaml"), "root: tree\nbootloader: systemd-boot\n");
    for (const command of ["plan", "spec"]) {
      const { status, stdout, stderr } = moved(command, at("spec.yaml"));
      const here = diskwright([command, at("spec.yaml")]);
      // Only here is the package that reads extended attributes.
      expect(stderr.replace(/^note: extended attributes .*\n/, "")).toBe(here.stderr);
      expect({ status, stdout }).toEqual({ status: here.status, stdout: here.stdout });
    }
    expect(moved("doctor").stderr).toBe("");
  });
});
