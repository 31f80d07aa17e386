import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { utf8, utf8Text } from "../../src/bytes/index.ts";
import { planExt4, writeExt4 } from "../../src/ext4/index.ts";
import type { Target } from "../../src/extents/index.ts";
import {
  directory,
  FileReader,
  fileSource,
  fileTarget,
  outputPlace,
  stage,
  type XattrReader,
} from "../../src/node/index.ts";
import { type Tree, treeOf } from "../../src/tree/index.ts";
import { makeHostTree } from "../support/host-tree.ts";
import { setXattr } from "../support/host-xattrs.ts";
import { scratchDirectory } from "../support/referee.ts";
import { writeRaw } from "../support/save.ts";

const scratch = scratchDirectory();
const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";

function place(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

describe("directory", () => {
  it("finds the same tree whatever order the host lists it in", async () => {
    const [forwards, backwards] = [join(scratch, "forwards"), join(scratch, "backwards")];
    await makeHostTree(forwards);
    await makeHostTree(backwards, (items) => [...items].reverse());
    const [a, b] = [await directory(forwards), await directory(backwards)];
    const rows = (tree: typeof a): unknown[] =>
      [...tree.entries()].map((entry) => ({ ...entry, content: undefined }));
    expect(rows(b)).toEqual(rows(a));
    expect(a.linkCount(a.find("/links/again")!)).toBe(3);
    expect(a.data(a.find("/sparse")!)).toEqual([
      { offset: 0, length: 4096 },
      { offset: 20 << 20, length: 4096 },
    ]);
    expect(a.data(a.find("/three mebibytes")!)).toBeUndefined();
  });

  it("gives the same filesystem as the same entries from memory", async () => {
    const top = join(scratch, "both ways");
    await makeHostTree(top);
    const scanned = await directory(top);
    const images = [scanned, treeOf([...scanned.entries()].reverse())].map(async (tree, index) => {
      const path = join(scratch, `both ways ${index}.img`);
      const plan = planExt4(tree, { uuid });
      await writeRaw(() => writeExt4(plan), plan.size, fileTarget(path), { reader: new FileReader() });
      return readFileSync(path);
    });
    const [fromDirectory, fromMemory] = await Promise.all(images);
    expect(fromMemory!.equals(fromDirectory!)).toBe(true);
  });

  it("reaches what lies deeper than a path can say", async () => {
    const top = place("deep");
    // A path of this length cannot be given to the system: it is made step by step.
    const script = `process.chdir(process.argv[1]);
      const fs = require("node:fs"), name = "d".repeat(250);
      for (let depth = 0; depth < 30; depth++) { fs.mkdirSync(name); process.chdir(name); }
      fs.writeFileSync("file", "deep\\n");`;
    expect(spawnSync(process.execPath, ["-e", script, top]).status).toBe(0);
    const tree = await directory(top);
    expect(tree.length).toBe(32);
    expect(Buffer.from(tree.path(31)).toString().endsWith("/file")).toBe(true);
    const plan = planExt4(tree, { uuid });
    await writeRaw(() => writeExt4(plan), plan.size, fileTarget(join(scratch, "deep.img")), {
      reader: new FileReader(),
    });
    expect(readFileSync(join(scratch, "deep.img")).includes("deep\n")).toBe(true);
  });

  it("leaves out what is excluded, with all below it", async () => {
    const top = place("excluding");
    mkdirSync(join(top, "cache/deep"), { recursive: true });
    writeFileSync(join(top, "kept"), "");
    const tree = await directory(top, { exclude: (path) => path === "/cache" });
    expect(tree.length).toBe(2);
  });

  it.each([
    ["nothing", "nowhere", /no such file/],
    ["a file", "a file", /not a directory/],
  ])("refuses %s", async (_, name, message) => {
    writeFileSync(join(scratch, "a file"), "");
    await expect(directory(join(scratch, name))).rejects.toThrow(message);
  });
});

const probe = place("probe");
const hasXattrs = setXattr(probe, "user.probe", "");
/** Attributes that only root may set, and not in every container. */
const hasHostXattrs = setXattr(probe, "trusted.probe", "") && setXattr(probe, "security.selinux", "label");

describe.skipIf(!hasXattrs)("extended attributes of a directory", () => {
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

  function names(tree: Tree): string[] {
    return Array.from({ length: tree.length }, (_, row) => {
      return [tree.displayPath(row), ...(tree.xattrs(row)?.keys() ?? [])].join(" ");
    });
  }

  it("are read from files and directories, byte for byte", async () => {
    const top = place("with attributes");
    mkdirSync(join(top, "ümlaut"));
    writeFileSync(join(top, "file"), "");
    writeFileSync(join(top, "plain"), "");
    setXattr(join(top, "file"), "user.bytes", everyByte);
    setXattr(join(top, "file"), "user.empty", "");
    setXattr(join(top, "ümlaut"), "user.ümlaut", "directory");
    setXattr(top, "user.root", "root");
    symlinkSync(top, join(scratch, "link to attributes"));
    for (const path of [top, join(scratch, "link to attributes")]) {
      const tree = await directory(path);
      expect(names(tree)).toEqual([
        "/ user.root",
        "/file user.bytes user.empty",
        "/plain",
        "/ümlaut user.ümlaut",
      ]);
      expect(tree.xattrs(1)!.get("user.bytes")).toEqual(everyByte);
      expect(tree.xattrs(1)!.get("user.empty")).toEqual(new Uint8Array(0));
    }
    expect(names(await directory(top, { xattrs: "none" }))).toEqual(["/", "/file", "/plain", "/ümlaut"]);
    const chosen = await directory(top, { xattrs: (name, path) => path !== "/" && name !== "user.empty" });
    expect(names(chosen)).toEqual(["/", "/file user.bytes", "/plain", "/ümlaut user.ümlaut"]);
  });

  it.runIf(hasHostXattrs)("are those of a symlink itself, and of the host only on request", async () => {
    const top = place("with host attributes");
    writeFileSync(join(top, "file"), "");
    symlinkSync("file", join(top, "link"));
    const capability = Uint8Array.of(1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    setXattr(join(top, "file"), "security.capability", capability);
    setXattr(join(top, "file"), "security.selinux", "label");
    setXattr(join(top, "link"), "trusted.own", "link");
    const portable = await directory(top);
    expect(names(portable)).toEqual(["/", "/file security.capability", "/link trusted.own"]);
    expect(portable.xattrs(1)!.get("security.capability")).toEqual(capability);
    expect(names(await directory(top, { xattrs: "all" }))[1]).toBe(
      "/file security.capability security.selinux",
    );
  });

  it.runIf(process.platform === "linux")(
    "are reached below names that are not UTF-8, and else missed aloud",
    async () => {
      const top = place("attributes deep down");
      const odd = Buffer.concat([Buffer.from(`${top}/odd `), Buffer.of(0xff)]);
      mkdirSync(odd);
      writeFileSync(Buffer.concat([odd, Buffer.from("/file")]), "");
      writeFileSync(Buffer.concat([odd, Buffer.from("/"), Buffer.of(0xfe)]), "");
      // The package that sets them takes no bytes either.
      const fromInside = `const { setAttributeSync } = require("@napi-rs/xattr");
      setAttributeSync("/proc/self/cwd/.", "user.place", "directory");
      setAttributeSync("file", "user.place", "file");`;
      const script = `cd "$1"/odd* && exec "$2" -e '${fromInside}'`;
      const env = { ...process.env, NODE_PATH: join(import.meta.dirname, "../../node_modules") };
      const { status, stderr } = spawnSync("sh", ["-c", script, "sh", top, process.execPath], { env });
      expect([String(stderr), status]).toEqual(["", 0]);
      const warnings: string[] = [];
      const tree = await directory(top, { onWarning: (warning) => warnings.push(warning) });
      expect(names(tree)).toEqual([
        "/",
        "/odd \\xff user.place",
        "/odd \\xff/file user.place",
        "/odd \\xff/\\xfe",
      ]);
      expect(warnings).toEqual([
        `the extended attributes of 1 entry are not read, as the names are not UTF-8: ${top}/odd \\xff/\\xfe`,
      ]);
    },
  );

  it.runIf(process.platform === "linux")("are read deeper than a path can say", async () => {
    const top = place("attributes too deep");
    const script = `process.chdir(process.argv[1]);
      const fs = require("node:fs"), name = "d".repeat(250);
      for (let depth = 0; depth < 20; depth++) { fs.mkdirSync(name); process.chdir(name); }
      require("@napi-rs/xattr").setAttributeSync("/proc/self/cwd/.", "user.deep", "deep");`;
    const env = { ...process.env, NODE_PATH: join(import.meta.dirname, "../../node_modules") };
    expect(spawnSync(process.execPath, ["-e", script, top], { env }).status).toBe(0);
    const tree = await directory(top);
    expect(tree.xattrs(20)?.get("user.deep")).toEqual(utf8("deep"));
    expect(tree.xattrs(19)).toBeUndefined();
  });
});

describe("what reads extended attributes", () => {
  /** Has the same attributes for every path, and notes which paths it was asked for. */
  function reader(attributes: readonly (readonly [string, string])[], asked: string[] = []): XattrReader {
    const values = new Map(attributes);
    return {
      listAttributesSync(path): string[] {
        asked.push(path);
        return [...values.keys()];
      },
      getAttributeSync: (_, name) => utf8(values.get(name)!),
    };
  }

  const refusing = (message: string): XattrReader => ({
    listAttributesSync(): string[] {
      throw new Error(message);
    },
    getAttributeSync: () => null,
  });

  it("is asked once for a file with several names, and gives the same tree in any order", async () => {
    const top = place("asked");
    writeFileSync(join(top, "a"), "");
    linkSync(join(top, "a"), join(top, "b"));
    const attributes = [
      ["user.a", "1"],
      ["user.b", "2"],
    ] as const;
    const asked: string[] = [];
    const tree = await directory(top, { xattrReader: reader(attributes, asked) });
    expect(asked.slice(1)).toEqual([join(top, "a")]);
    expect(tree.xattrs(2)).toBe(tree.xattrs(1));
    const backwards = await directory(top, { xattrReader: reader([...attributes].reverse()) });
    expect([...backwards.xattrs(1)!]).toEqual([...tree.xattrs(1)!]);
  });

  it("may find that a filesystem has none", async () => {
    const top = place("unsupported");
    const number = constants.errno.ENOTSUP;
    const tree = await directory(top, { xattrReader: refusing(`Not supported (os error ${number})`) });
    expect(tree.xattrs(0)).toBeUndefined();
  });

  it("fails for everything that it cannot read, in one error", async () => {
    const top = place("refused");
    writeFileSync(join(top, "file"), "");
    const denied = directory(top, { xattrReader: refusing("Permission denied (os error 13)") });
    await expect(denied).rejects.toThrow(
      /refused: the extended attributes cannot be read: permission denied[\s\S]*refused\/file: the extended/,
    );
    const odd = directory(top, { xattrReader: refusing('Invalid attribute: "user.\x1b"') });
    await expect(odd).rejects.toThrow('Invalid attribute: "user.\\x1b"');
    const vanishing = { ...reader([["user.a", ""]]), getAttributeSync: () => null };
    const gone = directory(top, { xattrReader: vanishing });
    await expect(gone).rejects.toThrow(/file: the extended attribute "user.a" cannot be read/);
  });

  it("is told of a policy that there is not", async () => {
    await expect(directory(scratch, { xattrs: "some" as "all" })).rejects.toThrow(TypeError);
  });
});

describe("a file that changes between scan and write", () => {
  const change: [string, (path: string) => void, RegExp][] = [
    ["grows", (path) => appendFileSync(path, "more"), /it had 7 bytes and has 11 bytes/],
    ["shrinks", (path) => truncateSync(path, 3), /it had 7 bytes and has 3 bytes/],
    ["is touched", (path) => utimesSync(path, 1, 1), /modified or replaced/],
    ["vanishes", (path) => rmSync(path), /it was removed/],
    [
      "is replaced",
      (path) => {
        writeFileSync(`${path}.new`, "another");
        rmSync(path);
        writeFileSync(path, "another");
      },
      /modified or replaced/,
    ],
    [
      "becomes a symlink",
      (path) => {
        rmSync(path);
        symlinkSync("/etc/passwd", path);
      },
      /symbolic link/,
    ],
  ];

  it.each(change)("%s: the write fails, names it, and leaves no output", async (name, act, message) => {
    const top = place(`changing ${name}`);
    const path = join(top, "file");
    writeFileSync(path, "content");
    const plan = planExt4(await directory(top), { uuid });
    act(path);
    const output = join(scratch, "changed.img");
    await expect(
      writeRaw(() => writeExt4(plan), plan.size, fileTarget(output), { reader: new FileReader() }),
    ).rejects.toThrow(message);
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(scratch).filter((entry) => entry.endsWith(".partial"))).toEqual([]);
  });
});

describe("a file that changes while it is read", () => {
  it("is caught when it has been read", async () => {
    const top = place("torn");
    const path = join(top, "file");
    writeFileSync(path, Buffer.alloc(40 << 20, "old"));
    const plan = planExt4(await directory(top), { uuid });
    const output = join(scratch, "torn.img");
    let changed = false;
    const onProgress = (): void => {
      if (!changed) appendFileSync(path, "new");
      changed = true;
    };
    const writing = writeRaw(() => writeExt4(plan), plan.size, fileTarget(output), {
      reader: new FileReader(),
      onProgress,
    });
    await expect(writing).rejects.toThrow(/torn\/file changed after it was scanned/);
    expect(existsSync(output)).toBe(false);
  });
});

describe("a file that has no blocks, and content all the same", () => {
  it.runIf(existsSync("/sys/kernel/btf/vmlinux"))("is read", async () => {
    const tree = await directory("/sys/kernel/btf");
    const data = tree.data(tree.find("/vmlinux")!);
    expect(data === undefined || data.length > 0).toBe(true);
  });
});

describe("fileSource", () => {
  it("refuses what is no file, and does not wait for a pipe's writer", () => {
    spawnSync("mkfifo", [join(scratch, "pipe")]);
    expect(() => fileSource(join(scratch, "pipe"))).toThrow(/is a device or a pipe/);
    expect(() => fileSource(scratch)).toThrow(/is a directory/);
    expect(() => fileSource(join(scratch, "nowhere"))).toThrow(/no such file/);
  });
});

describe("fileTarget", () => {
  async function send(target: Target, fail = false): Promise<void> {
    await target.begin(10_000);
    await target.write(5000, Uint8Array.of(1, 2, 3));
    await (fail ? target.abort() : target.commit());
  }

  it("replaces an older file only when it is complete", async () => {
    const path = join(scratch, "target.img");
    writeFileSync(path, "old");
    await send(fileTarget(path), true);
    expect(readFileSync(path, "utf8")).toBe("old");
    await send(fileTarget(path));
    expect(readFileSync(path)).toHaveLength(10_000);
    expect([...readFileSync(path).subarray(5000, 5003)]).toEqual([1, 2, 3]);
  });

  it("keeps a link, and replaces what it points to", async () => {
    const top = place("linked target");
    writeFileSync(join(top, "real.img"), "old");
    symlinkSync("real.img", join(top, "link.img"));
    await send(fileTarget(join(top, "link.img")));
    expect(readFileSync(join(top, "real.img"))).toHaveLength(10_000);
    expect(readdirSync(top).sort()).toEqual(["link.img", "real.img"]);
  });

  it("follows the .. of a link from the real directory, as the system does", async () => {
    const top = place("links up");
    mkdirSync(join(top, "x/y"), { recursive: true });
    symlinkSync("x/y", join(top, "linked"));
    symlinkSync("../z.img", join(top, "x/y/up.img"));
    symlinkSync("../linked/../w.img", join(top, "x/over.img"));
    await send(fileTarget(join(top, "linked/up.img")));
    await send(fileTarget(`${top}/linked/../v.img`));
    await send(fileTarget(join(top, "x/over.img")));
    expect(readdirSync(join(top, "x")).sort()).toEqual(["over.img", "v.img", "w.img", "y", "z.img"]);
    expect(readdirSync(top).sort()).toEqual(["linked", "x"]);
    expect(outputPlace(join(top, "linked/up.img"))).toBe(outputPlace(join(top, "x/z.img")));
    symlinkSync("circle.img", join(top, "circle.img"));
    expect(() => outputPlace(join(top, "circle.img"))).toThrow(/circle\.img: .*they lead in a circle/);
    for (let link = 0; link < 40; link++) symlinkSync(`chain ${link + 1}`, join(top, `chain ${link}`));
    expect(outputPlace(join(top, "chain 0"))).toBe(join(realpathSync(top), "chain 40"));
  });

  it("can be aborted after its commit, as when another output fails", async () => {
    const device = fileTarget("/dev/null", { force: true });
    await send(device);
    await device.abort();
    const path = join(scratch, "committed.img");
    const file = fileTarget(path);
    await send(file);
    await file.abort();
    expect(statSync(path).size).toBe(10_000);
  });

  it("makes what a dangling link points to, and keeps the mode of what it replaces", async () => {
    const top = place("dangling target");
    symlinkSync("real.img", join(top, "link.img"));
    await send(fileTarget(join(top, "link.img")));
    chmodSync(join(top, "real.img"), 0o666);
    await send(fileTarget(join(top, "link.img")));
    expect(readdirSync(top).sort()).toEqual(["link.img", "real.img"]);
    expect(statSync(join(top, "real.img")).mode & 0o777).toBe(0o666);
  });

  it("removes what a killed process left behind where that is certain, and names what seems to be left", async () => {
    const top = place("left behind");
    const target = join(top, "x.img");
    const other = fileTarget(target);
    await other.begin(5);
    const [own = ""] = readdirSync(top);
    const [, pid, rest] = /^\.x\.img\.(\d+)(.*)$/.exec(own)!;
    const longAgo = new Date(0);
    const isKnown = process.platform === "linux";
    const left = {
      // The number of this process was another's before.
      reused: own.replace(/-\d+-/, "-1-"),
      ended: `.x.img.${2 ** 22 + 1}${rest}`,
      elsewhere: `.x.img.${pid}-5-0123456789ab-4026531836.partial`,
      older: ".x.img.4711.partial",
      young: ".x.img.4712.partial",
      // Of other outputs.
      longer: own.replace("x.img", "x.img.zst"),
      foreign: ".x.img.backup.partial",
    };
    for (const name of Object.values(left)) {
      writeFileSync(join(top, name), "left");
      if (name !== left.young) utimesSync(join(top, name), longAgo, longAgo);
    }
    const warnings: string[] = [];
    await send(fileTarget(target, { onWarning: (warning) => void warnings.push(warning) }));
    const gone = isKnown ? [left.reused, left.ended] : [];
    expect(readdirSync(top).sort()).toEqual(
      [own, "x.img", ...Object.values(left).filter((name) => !gone.includes(name))].sort(),
    );
    expect(
      warnings.filter((warning) => warning.includes("removed: it was left behind by a run that was killed")),
    ).toHaveLength(gone.length);
    for (const name of [left.elsewhere, left.older]) {
      expect(warnings).toContainEqual(expect.stringContaining(`${name}: seems to be left behind`));
    }
    if (isKnown) expect(warnings).toHaveLength(4);
    await other.abort();
    expect(readdirSync(top)).not.toContain(own);
  });

  it("makes room for the temporary name when the name of the output is long", async () => {
    const top = place("long name");
    for (const name of ["x".repeat(255), "ä".repeat(127), "😀".repeat(63)]) {
      await send(fileTarget(join(top, name)));
      expect(readdirSync(top)).toContain(name);
    }
  });

  it.each([
    ["a directory", ".", /is a directory/],
    ["a directory that is not there", "nowhere/x.img", /there is no directory .*nowhere: make it first/],
    [
      "a directory that is not there, on the way up",
      "nowhere/../x.img",
      /there is no directory .*make it first/,
    ],
    ["the name of a directory", "nothing/", /is the name of a directory: name a file/],
    ["a device, unless forced", "/dev/null", /use --force/],
  ])("refuses %s", async (_, name, message) => {
    const path = name.startsWith("/") ? name : `${scratch}/${name}`;
    await expect((async () => send(fileTarget(path)))()).rejects.toThrow(message);
  });
});

describe("stage", () => {
  it("leaves an output out of what holds it, and says so only then", async () => {
    const top = join(scratch, "holds its output");
    const output = join(top, "sub/disk.img");
    mkdirSync(join(top, "sub"), { recursive: true });
    for (const path of ["sub/a", "sub/disk.img", "b"]) writeFileSync(join(top, path), "");
    const read = async (sources: Parameters<typeof stage>[0]): Promise<[string[], string[]]> => {
      const leftOut: string[] = [];
      const tree = await stage(sources, { outputs: [output], onLeftOut: (path) => void leftOut.push(path) });
      return [[...tree.entries()].map(({ path }) => String(utf8Text(path as Uint8Array))), leftOut];
    };
    expect(await read({ root: [{ source: top }] })).toEqual([["/", "/b", "/sub", "/sub/a"], [output]]);
    const excluded = await read({ root: [{ source: top, exclude: ["*.img"] }] });
    expect(excluded).toEqual([["/", "/b", "/sub", "/sub/a"], []]);
    const file = { source: join(top, "sub/a"), target: "/x" };
    expect(await read({ contents: [file] })).toEqual([["/", "/x"], []]);
    const pattern = { source: join(top, "sub/*"), target: "/" };
    expect(await read({ contents: [pattern] })).toEqual([["/", "/a"], [output]]);
  });
});
