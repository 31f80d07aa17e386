import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Description } from "../../src/image/index.ts";
import type { ImageReport } from "../../src/inspect/index.ts";
import { LAYOUT_NAMES } from "../../src/layouts/index.ts";
import { diskwright, MAIN } from "../support/cli.ts";
import { IS_ROOT, makeHostTree, snapshot } from "../support/host-tree.ts";
import {
  copyPart,
  expectCleanExt4,
  expectCleanFat,
  expectCleanGpt,
  expectCleanParted,
} from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
const small = ["--additional-space", "8M", "--boot-size", "40M"];

beforeAll(() => makeHostTree(tree));

/** Mounts an image of a filesystem while `look` looks at it; false where the host has no loop devices. */
function mounted(path: string, offset: number, look: (mountPoint: string) => void): boolean {
  const mountPoint = join(scratch, "mnt");
  mkdirSync(mountPoint, { recursive: true });
  const mount = spawnSync("mount", ["-t", "ext4", "-o", `ro,loop,offset=${offset}`, path, mountPoint], {
    encoding: "utf8",
  });
  if (mount.status !== 0 && /loop device|permission denied|must be superuser/.test(mount.stderr))
    return false;
  expect(mount.stderr).toBe("");
  try {
    look(mountPoint);
  } finally {
    spawnSync("umount", [mountPoint]);
  }
  return true;
}

describeWith(["e2fsck", "fsck.fat", "mcopy", "sgdisk", "sfdisk", "parted"], "every layout", () => {
  it.each(LAYOUT_NAMES)("%s: is what the referees and a kernel expect", async (layout) => {
    const image = join(scratch, `${layout}.img`);
    const built = diskwright([
      "build",
      "--root",
      tree,
      "--layout",
      layout,
      ...small,
      "-o",
      image,
      "--json",
      "--xattrs",
      "none",
    ]);
    expect(built.stderr).toBe(`wrote ${image}: ${layout}, raw, ${built.stderr.split("raw, ")[1]}`);
    expect(built.status).toBe(0);
    const description = JSON.parse(built.stdout) as Description;
    const report = JSON.parse(diskwright(["inspect", image, "--json"]).stdout) as ImageReport;
    expect(statSync(image).size).toBe(description.virtualSize);

    if (report.table.type === "gpt") expectCleanGpt(image);
    if (report.table.type === "mbr") expectCleanParted(image);
    if (report.table.type !== "none") {
      const table = (
        JSON.parse(run("sfdisk", ["-J", image]).stdout) as {
          partitiontable: { partitions: Record<string, unknown>[] };
        }
      ).partitiontable;
      expect(
        table.partitions.map(({ start, size, type }) => [start, size, String(type).toLowerCase()]),
      ).toEqual(
        report.table.partitions.map(({ firstLba, lastLba, type }) => [
          firstLba,
          lastLba - firstLba + 1,
          type,
        ]),
      );
    }
    const mounts = description.table.partitions.map(({ mount }) => mount);
    for (const [index, { filesystem, offset, size, number }] of report.table.partitions.entries()) {
      expect(filesystem).toEqual(inspectable(description.table.partitions[index]!.filesystem));
      if (filesystem === null) continue;
      const part = join(scratch, `${layout}-${number}.part`);
      await copyPart(image, offset, size, part);
      const mount = mounts[index]!;
      if (filesystem.type === "ext4") {
        expectCleanExt4(part);
        checkRoot(image, offset, mounts);
      } else {
        expectCleanFat(part);
        checkFat(part, mount);
      }
    }
  });

  /** The fields that a report and a plan share. */
  function inspectable(filesystem: Description["table"]["partitions"][number]["filesystem"]): unknown {
    if (filesystem === null) return null;
    const { usage: _usage, entries: _entries, largest: _largest, ...shared } = filesystem;
    return shared;
  }

  /** A kernel gives back every name, byte and attribute, but for what lies in another partition. */
  function checkRoot(image: string, offset: number, mounts: readonly (string | null)[]): void {
    if (!IS_ROOT) return;
    const elsewhere = mounts.filter((mount) => mount !== null && mount !== "/");
    const isElsewhere = (path: string): boolean => elsewhere.some((mount) => path.startsWith(`${mount}/`));
    const isMounted = mounted(image, offset, (mountPoint) => {
      const found = snapshot(mountPoint, (path) => path === "/lost+found");
      const planned = snapshot(tree, isElsewhere);
      // A mount point that the tree lacks is made.
      for (const mount of elsewhere) if (!planned.has(mount!)) found.delete(mount!);
      expect([...found.keys()].sort()).toEqual([...planned.keys()].sort());
      for (const [path, entry] of planned) expect(found.get(path), path).toEqual(entry);
    });
    if (process.env.CI === "true") expect(isMounted).toBe(true);
  }

  /** mtools gives back every name and byte. */
  function checkFat(part: string, mount: string | null): void {
    const to = join(scratch, `fat-${mount!.replaceAll("/", "")}-${Math.random()}`);
    mkdirSync(to);
    const source = join(tree, mount!);
    const content = existsSync(source)
      ? readdirSync(source, { recursive: true, encoding: "utf8" }).sort()
      : [];
    if (content.length > 0) expect(run("mcopy", ["-s", "-n", "-i", part, "::*", to]).stderr).toBe("");
    expect(readdirSync(to, { recursive: true, encoding: "utf8" }).sort()).toEqual(content);
    for (const path of content) {
      if (statSync(join(source, path)).isFile())
        expect(readFileSync(join(to, path))).toEqual(readFileSync(join(source, path)));
    }
  }

  it("4096-byte sectors: fdisk and parted read the table", () => {
    const image = join(scratch, "4k.img");
    const args = [
      "build",
      "--root",
      tree,
      "--layout",
      "hybrid",
      "--sector-size",
      "4096",
      "--additional-space",
      "8M",
      "-o",
      image,
    ];
    expect(diskwright(args).status).toBe(0);
    expect(run("fdisk", ["-b", "4096", "-l", image]).output).not.toMatch(/mismatch|corrupt|error/i);
    const parted = spawnSync("parted", ["-s", image, "unit", "B", "print"], {
      encoding: "utf8",
      env: { ...process.env, PARTED_SECTOR_SIZE: "4096", LC_ALL: "C" },
    });
    expect(parted.stdout).toContain("4096B");
    expect(parted.stdout + parted.stderr).not.toMatch(/Error|Warning/);
    const report = JSON.parse(diskwright(["inspect", image, "--json"]).stdout) as ImageReport;
    expect(report.table).toMatchObject({ type: "gpt", sectorSize: 4096, problems: [] });
    expect(report.table.partitions.map(({ filesystem }) => filesystem?.type)).toEqual([
      "fat32",
      undefined,
      "ext4",
    ]);
  });
});

describe("the same bytes", () => {
  it("come from another directory order, time zone, umask and locale, and out of a pipe", async () => {
    const other = join(scratch, "other place");
    await makeHostTree(other, (items) => [...items].reverse());
    const first = join(scratch, "first.img");
    const second = join(scratch, "second.img");
    const args = ["--layout", "efi", ...small, "--quiet", "--xattrs", "none"];
    expect(diskwright(["build", "--root", tree, ...args, "-o", first])).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
    const shell = `umask 077; exec "$0" "$@"`;
    const environment = { ...process.env, TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8" };
    const piped = [process.execPath, MAIN, "build", "--root", other, ...args, "-o"];
    expect(spawnSync("sh", ["-c", shell, ...piped, second], { env: environment }).status).toBe(0);
    expect(sha256(second)).toBe(sha256(first));
    const { stdout, status } = spawnSync("sh", ["-c", shell, ...piped, "-"], {
      env: environment,
      maxBuffer: 1 << 30,
    });
    expect(status).toBe(0);
    expect(createHash("sha256").update(stdout).digest("hex")).toBe(sha256(first));
  });

  it("follow the seed and the clock that are given", () => {
    const image = join(scratch, "clock.img");
    const build = (args: readonly string[], environment: NodeJS.ProcessEnv = {}): string => {
      expect(diskwright(["mkfs", "ext4", tree, "-o", image, ...args], environment).status).toBe(0);
      return sha256(image);
    };
    const plain = build([]);
    expect(build(["--seed", "another"])).not.toBe(plain);
    const epoch = build([], { SOURCE_DATE_EPOCH: "1700000000" });
    expect(epoch).not.toBe(plain);
    expect(build(["--time", "1700000000"])).toBe(epoch);
    expect(build(["--time", "2023-11-14T22:13:20Z"], { SOURCE_DATE_EPOCH: "5" })).toBe(epoch);
  });
});

describe("a run that cannot succeed", () => {
  const old = join(scratch, "old", "disk.img");
  const refused = (args: readonly string[]): { status: number | null; stderr: string } => {
    mkdirSync(join(scratch, "old"), { recursive: true });
    writeFileSync(old, "the old image");
    const { status, stderr } = diskwright([...args, "-o", old]);
    expect(readFileSync(old, "utf8")).toBe("the old image");
    expect(readdirSync(join(scratch, "old"))).toEqual(["disk.img"]);
    expect(stderr).not.toMatch(/\n\s+at |internal error/);
    return { status, stderr };
  };

  it.each<[string, readonly string[], number, RegExp]>([
    ["an unknown option", ["--sise", "1G"], 2, /Did you mean --size/],
    ["a source without a name", ["--root", ""], 2, /empty name/],
    ["an unknown layout", ["--layout", "mbr"], 2, /layout "mbr": did you mean legacy\?/],
    ["a size that is none", ["--size", "1 parsec"], 2, /is not a size/],
    ["a size that is no multiple of a sector", ["--size", "1000000001"], 2, /multiple of the sector size/],
    ["a GUID that is none", ["--root-guid", "97FD5997-D90B-4AA3-8D16-C1723AEA73C"], 2, /is not a GUID/],
    ["a label that is too long", ["--label", "seventeen letters"], 2, /17 bytes: it can have 16/],
    ["an ESP too small for FAT32", ["--boot-size", "16M"], 2, /34,089,472|33 ?M/],
    [
      "a disk too small for its partitions",
      ["--size", "64M"],
      3,
      /[\d,]+ bytes too small, use at least [\d,]+ bytes/,
    ],
    [
      "a disk too small for the tree",
      ["--layout", "legacy", "--size", "4M"],
      3,
      /too small, use at least [\d,]+ bytes[\s\S]*largest paths:/,
    ],
    ["a container that cannot be written", ["--format", "qcow3"], 2, /cannot be written/],
    ["an owner that is none", ["--owner", "root:root"], 2, /two numbers/],
    ["a time before 1970", ["--time", "1969-12-31"], 2, /seconds since 1970/],
  ])("%s", (_, args, status, message) => {
    const result = refused(["build", "--root", tree, ...args]);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(status);
  });

  it("says how many bytes are missing, and those are enough", () => {
    for (const args of [
      ["build", "--layout", "legacy+gpt", "--root", tree],
      ["mkfs", "ext4", tree],
    ]) {
      const { stderr } = refused([...args, "--size", "3M"]);
      const missing = Number(/([\d,]+) bytes (?:too small|more)/.exec(stderr)![1]!.replaceAll(",", ""));
      const size = (3 << 20) + missing;
      const image = join(scratch, "enough.img");
      expect(diskwright([...args, "--size", String(size), "-o", image]).status).toBe(0);
      const step = args[0] === "mkfs" ? 4096 : 1 << 20;
      expect(diskwright([...args, "--size", String(size - step), "-o", image]).status).toBe(3);
    }
  });

  it("names every symlink that FAT cannot hold, and leaves them out when asked", () => {
    const boot = join(scratch, "with links");
    mkdirSync(join(boot, "boot"), { recursive: true });
    spawnSync("ln", ["-s", "x", join(boot, "boot", "first")]);
    spawnSync("ln", ["-s", "y", join(boot, "boot", "second")]);
    const result = refused(["build", "--root", boot]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/--skip-unsupported[\s\S]*\/boot\/first[\s\S]*\/boot\/second/);
    const image = join(scratch, "skipped.img");
    const skipped = diskwright(["build", "--root", boot, "--skip-unsupported", "-o", image]);
    expect(skipped.status).toBe(0);
    expect(skipped.stderr).toMatch(/left out .*first/);
  });

  it("an output whose name promises another container", () => {
    const { status, stderr } = diskwright(["build", "--root", tree, "-o", join(scratch, "disk.iso")]);
    expect(stderr).toContain("the name says ISO 9660");
    expect(status).toBe(2);
  });

  it("a source that is not there", () => {
    const result = refused(["build", "--root", join(scratch, "nowhere")]);
    expect(result.stderr).toMatch(/nowhere: no such file or directory/);
    expect(result.status).toBe(1);
  });

  it.runIf(IS_ROOT)("everything that an ordinary user may not read, in one message", () => {
    const locked = join(scratch, "locked");
    mkdirSync(join(locked, "closed"), { recursive: true });
    writeFileSync(join(locked, "secret"), "x", { mode: 0o600 });
    spawnSync("chmod", ["700", join(locked, "closed")]);
    spawnSync("chmod", ["755", scratch, locked]);
    const out = join(scratch, "open");
    mkdirSync(out);
    spawnSync("chmod", ["777", out]);
    const asNobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath, MAIN];
    const result = run("setpriv", [...asNobody, "build", "--root", locked, "-o", join(out, "x.img")]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("closed: permission denied");
    expect(result.stderr).toContain("secret: permission denied");
    expect(readdirSync(out)).toEqual([]);
  });
});

describe("what does not arrive", () => {
  it.runIf(existsSync("/dev/full"))("on standard output is a failure", () => {
    const shell = `"$0" "$@" > /dev/full`;
    for (const args of [
      ["plan", "--root", tree],
      ["plan", "--root", tree, "--json"],
    ]) {
      const { status, stderr } = spawnSync("sh", ["-c", shell, process.execPath, MAIN, ...args], {
        encoding: "utf8",
      });
      expect(stderr).toContain("standard output: ");
      expect(status).toBe(1);
    }
  });
});

describe("inspect", () => {
  it("shows the partitions beside one that is damaged", () => {
    const image = join(scratch, "damaged.img");
    expect(diskwright(["build", "--root", tree, ...small, "-o", image]).status).toBe(0);
    const bytes = readFileSync(image);
    // The root directory of the ESP at 8 MiB is said to start in a cluster that does not exist.
    bytes.writeUInt32LE(0x05ffffff, 8 * 2 ** 20 + 44);
    writeFileSync(image, bytes);
    const { status, stdout } = diskwright(["inspect", image]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/ext4 "root"[\s\S]*problem: partition 1: the filesystem cannot be read/);
    // Both headers of the GPT are gone.
    bytes.fill(0, 512, 1024).fill(0, bytes.length - 512);
    writeFileSync(image, bytes);
    expect(diskwright(["inspect", image]).stdout).toMatch(
      /problem: the MBR protects a GPT, but there is none/,
    );
  });
});

describe("the output", () => {
  it("is left out of a tree that it lies in", () => {
    const place = join(scratch, "own");
    mkdirSync(place);
    writeFileSync(join(place, "file"), "x");
    const image = join(place, "disk.img");
    for (const left of [false, true]) {
      const { stderr, status } = diskwright(["mkfs", "ext4", place, "--time", "1", "-o", image]);
      expect(status).toBe(0);
      expect(stderr.includes("left out")).toBe(left);
    }
  });

  it("is a sparse file", () => {
    const image = join(scratch, "large.img");
    expect(
      diskwright(["build", "--root", tree, "--layout", "legacy", "--size", "64G", "-o", image]).status,
    ).toBe(0);
    expect(statSync(image).size).toBe(64 * 2 ** 30);
    expect(statSync(image).blocks * 512).toBeLessThan(64 << 20);
  });
});
