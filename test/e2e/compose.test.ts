import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LAYOUT_NAMES } from "../../src/layouts/index.ts";
import { diskwright, MAIN } from "../support/cli.ts";
import { IS_ROOT, makeHostTree } from "../support/host-tree.ts";
import { getXattr, setXattr } from "../support/host-xattrs.ts";
import { expectCleanExt4, expectCleanFat } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const at = (...names: string[]): string => join(scratch, ...names);
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
const small = ["--layout", "none", "--additional-space", "1M"];

function built(output: string, ...args: string[]): string {
  const result = diskwright(["build", ...args, "-q", "-o", at(output)]);
  expect(result.stderr).toBe("");
  expect(result.status).toBe(0);
  return sha256(at(output));
}

function refused(...args: string[]): string {
  const result = diskwright(["build", ...args, "-o", at("refused.img")]);
  expect(result.status).not.toBe(0);
  expect(readdirSync(scratch)).not.toContain("refused.img");
  return result.stderr;
}

beforeAll(async () => {
  await makeHostTree(tree);
  // No archive holds a socket, and few hold holes: these are the things that all of them hold.
  spawnSync("find", [tree, "-name", "not utf*", "-delete"]);
  for (const name of ["socket", "sparse"]) rmSync(join(tree, name), { force: true });
  setXattr(join(tree, "one"), "user.binary", Buffer.from("ff80c0fe00", "hex"));
  spawnSync("find", [tree, "-depth", "-exec", "touch", "-h", "-d", "@1700000000", "{}", "+"]);
});

describeWith(["tar", "bsdtar", "python3"], "an archive gives the image that the directory gives", () => {
  const python = (format: string): string =>
    "import sys, tarfile\n" +
    `t = tarfile.open(sys.argv[1], 'w', format=tarfile.${format})\n` +
    "t.add(sys.argv[2], arcname='.')\nt.close()";
  it.each<[string, (archive: string) => readonly string[], boolean]>([
    [
      "GNU tar",
      (archive) => ["tar", "-C", tree, "--xattrs", "--xattrs-include=*", "-cf", archive, "."],
      true,
    ],
    [
      "GNU tar, posix",
      (archive) => [
        "tar",
        "-C",
        tree,
        "--format=posix",
        "--xattrs",
        "--xattrs-include=*",
        "-cf",
        archive,
        ".",
      ],
      true,
    ],
    ["bsdtar", (archive) => ["bsdtar", "-C", tree, "--format=pax", "--xattrs", "-cf", archive, "."], true],
    ["Python", (archive) => ["python3", "-c", python("PAX_FORMAT"), archive, tree], false],
    [
      "GNU tar, gzip",
      (archive) => [
        "tar",
        "-C",
        tree,
        "--format=posix",
        "--xattrs",
        "--xattrs-include=*",
        "-czf",
        archive,
        ".",
      ],
      true,
    ],
  ])("%s", (name, command, hasXattrs) => {
    const archive = at(`${name}.tar`);
    const [program, ...args] = command(archive);
    expect(run(program!, args).stdout).toBe("");
    const options = [...small, "--xattrs", hasXattrs ? "portable" : "none"];
    expect(built("a.img", "--root", archive, ...options)).toBe(built("b.img", "--root", tree, ...options));
  });

  it("so does one that comes through a pipe, and nothing is left of what was kept", () => {
    const command = `tar -C '${tree}' --format=posix --xattrs --xattrs-include='*' -c . | '${process.execPath}' '${MAIN}' build --root - ${small.join(" ")} -q -o '${at("piped.img")}'`;
    expect(run("sh", ["-c", command]).output).toBe("");
    expect(sha256(at("piped.img"))).toBe(built("whole.img", "--root", tree, ...small));
    expect(readdirSync(scratch).filter((name) => name.includes("spool"))).toEqual([]);
  });

  it("the root of which no archive tells has no time: one time for all makes them equal", () => {
    const script =
      "import sys, tarfile, os\n" +
      "t = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT)\n" +
      "for name in sorted(os.listdir(sys.argv[2])):\n" +
      "    t.add(os.path.join(sys.argv[2], name), arcname=name)\n" +
      "t.close()";
    // As a container is exported: names without a prefix, and no entry for the root.
    const archive = at("container.tar");
    expect(run("python3", ["-c", script, archive, tree]).output).toBe("");
    const options = [...small, "--xattrs", "none", "--time", "0"];
    expect(built("a.img", "--root", archive, ...options)).toBe(built("b.img", "--root", tree, ...options));
  });
});

describe("several roots", () => {
  beforeAll(() => {
    for (const [path, text] of [
      ["base/etc/hostname", "base"],
      ["base/etc/motd", "motd"],
      ["base/var/old/file", "old"],
      ["over/etc/hostname", "over"],
      ["layer/etc/.wh.motd", ""],
      ["layer/var/old/.wh..wh..opq", ""],
      ["layer/var/old/new", "new"],
    ] as const) {
      mkdirSync(at(path, ".."), { recursive: true });
      writeFileSync(at(path), text);
    }
    run("tar", ["-C", at("base"), "-cf", at("base.tar"), "."]);
    run("tar", ["-C", at("layer"), "-cf", at("layer.tar"), "."]);
  });

  const names = (image: string): string[] =>
    run("debugfs", ["-R", "ls -p /etc", at(image)])
      .stdout.match(/[^/]+(?=\/\d*\/$)/gm)!
      .filter((name) => !/^\.+$/.test(name));

  it("lie over each other, each at its target", () => {
    built("r.img", ...small, "--root", at("base"), "--root", at("over"), "--root", `${at("over")}:/opt/x`);
    expect(run("debugfs", ["-R", "cat /etc/hostname", at("r.img")]).stdout).toBe("over");
    expect(run("debugfs", ["-R", "cat /opt/x/etc/hostname", at("r.img")]).stdout).toBe("over");
    expect(names("r.img")).toEqual(["hostname", "motd"]);
  });

  it("that are layers take away what their whiteouts name", () => {
    built("l.img", ...small, "--root", at("base.tar"), "--root", at("layer.tar"));
    expect(names("l.img")).toEqual(["hostname"]);
    const old = run("debugfs", ["-R", "ls -p /var/old", at("l.img")]).stdout;
    expect(old).toContain("/new/");
    expect(old).not.toMatch(/\/file\/|wh/);
  });
});

describeWith(["debugfs"], "rules", () => {
  beforeAll(() => {
    mkdirSync(at("src dir/sub"), { recursive: true });
    writeFileSync(at("src dir/a b.conf"), "a", { mode: 0o600 });
    writeFileSync(at("src dir/sub/c.conf"), "c", { mode: 0o600 });
    run("ln", [at("src dir/a b.conf"), at("src dir/linked")]);
    mkdirSync(at("accounts/etc"), { recursive: true });
    writeFileSync(at("accounts/etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n");
    writeFileSync(at("accounts/etc/group"), "root:x:0:\nwww:x:35:\n");
    writeFileSync(
      at("rules.yaml"),
      "- {source: 'src dir', target: /etc/conf, mode: 'D750,F640', user: web, group: www}\n- {source: 'src dir/*.conf', target: /globbed}\n- {source: src dir/a b.conf, target: /deep/er/name, mode: '444'}\n",
    );
    writeFileSync(at("closure"), `${at("src dir")}\n${at("accounts/etc/passwd")}\n`);
  });

  const stat = (path: string): string => run("debugfs", ["-R", `stat "${path}"`, at("rules.img")]).stdout;

  it("copy files, directories and patterns to their targets, with modes and owners by name", () => {
    built(
      "rules.img",
      ...small,
      "--root",
      at("accounts"),
      "--contents",
      at("rules.yaml"),
      "--directory",
      "/made",
      "--directory",
      "path: /data, mode: '1777', user: web",
      "--symlink",
      "/link=etc/conf",
      "--file",
      "/etc/hostname=box",
    );
    expectCleanExt4(at("rules.img"));
    expect(stat("/etc/conf")).toMatch(/Mode: +0750.*\nUser: +33 +Group: +35 /s);
    expect(stat("/etc/conf/a b.conf")).toMatch(/Mode: +0640[\s\S]*User: +33 +Group: +35 [\s\S]*Links: 2/);
    expect(stat("/globbed/a b.conf")).toMatch(/Mode: +0600[\s\S]*User: +0 +Group: +0 /);
    expect(stat("/deep/er/name")).toMatch(/Mode: +0444/);
    expect(stat("/made")).toMatch(/Type: directory +Mode: +0755/);
    expect(stat("/data")).toMatch(/Mode: +01777[\s\S]*User: +33/);
    expect(stat("/link")).toContain('Fast link dest: "etc/conf"');
    expect(run("debugfs", ["-R", "cat /etc/hostname", at("rules.img")]).stdout).toBe("box");
  });

  it("place store paths where they are, or at the root, with their hard links", () => {
    built("rules.img", ...small, "--store-paths", at("closure"));
    expect(stat(`${at("src dir")}/linked`)).toMatch(/User: +0 [\s\S]*Links: 2/);
    built("rules.img", ...small, "--store-paths", at("closure"), "--only-nix-store");
    expect(stat("/src dir/sub/c.conf")).toMatch(/Mode: +0600/);
    expect(stat("/passwd")).toMatch(/Type: regular/);
    expect(run("dumpe2fs", ["-h", at("rules.img")]).stdout).toMatch(/volume name: +nix-store$/m);
    built("rules.img", ...small, "--store-paths", at("closure"), "--only-nix-store", "--label", "own");
    expect(run("dumpe2fs", ["-h", at("rules.img")]).stdout).toMatch(/volume name: +own$/m);
  });

  it("are refused beside a store alone, and a store without paths is", () => {
    const store = [...small, "--only-nix-store"];
    expect(refused(...store, "--root", at("accounts"))).toMatch(/onlyNixStore needs storePaths/);
    const paths = ["--store-paths", at("closure")];
    const rule = `source: '${at("closure")}', target: /x`;
    expect(refused(...store, ...paths, "--contents", rule)).toMatch(/onlyNixStore and contents exclude/);
    expect(refused(...store, ...paths, "--bootloader", "grub")).toMatch(
      /onlyNixStore and bootloader exclude/,
    );
    expect(refused(...small, "--contents", `${rule}, user: root`)).toMatch(/user needs group beside it/);
  });

  it("are refused when the target exists, with both names, and when they name nothing", () => {
    const error = refused(
      ...small,
      "--root",
      at("accounts"),
      "--contents",
      `source: '${at("closure")}', target: /etc/passwd`,
      "--file",
      "path: /x, text: y, user: nobody",
      "--contents",
      `source: '${at("closure")}', target: ../x`,
    );
    expect(error).toMatch(/contents\[1\] .*closure: the target \/\.\.\/x must be a path/);
    const clash = refused(
      ...small,
      "--root",
      at("accounts"),
      "--contents",
      `source: '${at("closure")}', target: /etc/passwd`,
    );
    expect(clash).toMatch(/contents\[0\] .*closure: \/etc\/passwd exists already, from root .*accounts/);
    expect(refused(...small, "--root", at("accounts"), "--file", "path: /x, text: y, user: nobody")).toMatch(
      /files\[0\]: there is no user nobody in etc\/passwd of the tree/,
    );
    expect(refused(...small, "--contents", `source: '${at("no/*")}', target: /x`)).toMatch(/matches nothing/);
    expect(refused(...small, "--contents", `source: '${at("nothing")}', target: /x`)).toMatch(/no such file/);
  });

  it("replace on request", () => {
    built(
      "rules.img",
      ...small,
      "--root",
      at("accounts"),
      "--contents",
      `source: '${at("closure")}', target: /etc/passwd, replace: true`,
    );
    expect(run("debugfs", ["-R", "cat /etc/passwd", at("rules.img")]).stdout).toContain("src dir");
  });
});

describeWith(["setpriv"], "somebody who is not root", () => {
  it.runIf(IS_ROOT)("gets a note that names the owners, unless the owners are given", () => {
    const place = at("theirs");
    mkdirSync(join(place, "tree"), { recursive: true });
    for (const name of ["a", "b", "c", "d"]) writeFileSync(join(place, "tree", name), name);
    spawnSync("chown", ["-R", "4321:4322", place]);
    for (const [index, name] of ["a", "b", "c"].entries())
      spawnSync("chown", [`${index}:0`, join(place, "tree", name)]);
    chmodSync(scratch, 0o755);
    const tree = join(place, "tree");
    const asUser = (...args: string[]): string =>
      run("setpriv", [
        ...["--reuid", "4321", "--regid", "4322", "--clear-groups", process.execPath, MAIN],
        ...[...args, "--xattrs", "none", "-o", join(place, "x.img")],
      ]).stderr;
    const note =
      `note: ${tree}: its files belong to 4321:4322, 0:0, 1:0 and 1 more in the image, as on this host: ` +
      "--owner 0:0 gives them to root\n";
    expect(asUser("build", tree)).toMatch(new RegExp(`^${note}wrote .*\n$`));
    expect(asUser("mkfs", "ext4", tree)).toMatch(new RegExp(`^${note}wrote .*\n$`));
    expect(asUser("build", tree, "-q")).toBe("");
    writeFileSync(join(place, "m.mtree"), "#mtree\n/set uid=0 gid=0\n");
    writeFileSync(
      join(place, "esp.yaml"),
      "partitions:\n  - { name: esp, type: esp, size: 64M, filesystem: vfat, root: tree }\n",
    );
    run("tar", ["-cf", join(place, "x.tar"), "-C", tree, "."]);
    for (const args of [
      ["build", tree, "--owner", "0:0"],
      ["build", tree, "--id-map", "0:0:65536"],
      ["build", tree, "--manifest", join(place, "m.mtree")],
      ["build", join(place, "x.tar")],
      ["build", join(place, "esp.yaml")],
      ["mkfs", "fat", tree],
    ])
      expect(asUser(...args), args.join(" ")).toMatch(/^wrote .*\n$/);
    const asRoot = diskwright(["build", tree, "--xattrs", "none", "-o", join(place, "root.img")]);
    expect(asRoot.stderr).toMatch(/^wrote .*\n$/);
  });

  it.runIf(IS_ROOT)("makes an image with owners, device nodes, setuid files and capabilities", () => {
    mkdirSync(at("home/tree/bin"), { recursive: true });
    mkdirSync(at("home/tree/dev"));
    mkdirSync(at("home/tree/etc"));
    writeFileSync(at("home/tree/bin/su"), "su");
    writeFileSync(at("home/tree/bin/ping"), "ping");
    writeFileSync(at("home/tree/etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n");
    writeFileSync(at("home/tree/etc/group"), "root:x:0:\nweb:x:33:\n");
    writeFileSync(at("home/tree/etc/site.conf"), "x");
    writeFileSync(
      at("home/m.mtree"),
      "#mtree\n/set uid=0 gid=0\n./bin/su mode=4755\n./bin/ping mode=755 capabilities=cap_net_raw+ep\n./dev/null type=char device=native,1,3 mode=666\n./dev/sda type=block device=native,8,0 mode=660\n./etc/*.conf uname=web gname=web mode=640 time=1000.5\n./run/pipe type=fifo mode=600\n",
    );
    spawnSync("chown", ["-R", "4321:4321", at("home")]);
    chmodSync(scratch, 0o755);
    const args = [
      "--reuid",
      "4321",
      "--regid",
      "4321",
      "--clear-groups",
      process.execPath,
      MAIN,
      "build",
      "--root",
      at("home/tree"),
      "--owner",
      "0:0",
      "--manifest",
      at("home/m.mtree"),
      ...small,
      "-q",
      "-o",
      at("home/x.img"),
    ];
    expect(run("setpriv", args).output).toBe("");
    expect(statSync(at("home/x.img")).uid).toBe(4321);
    expectCleanExt4(at("home/x.img"));
    const isMounted = withMount(at("home/x.img"), "ro", (mountPoint) => {
      const list = run("find", [mountPoint, "-mindepth", "2", "-printf", "%P %y %m %U %G %T@\n"])
        .stdout.split("\n")
        .sort();
      expect(list.map((line) => line.replace(/ \d+\.\d+$/, ""))).toEqual(
        expect.arrayContaining([
          "bin/su f 4755 0 0",
          "dev/null c 666 0 0",
          "dev/sda b 660 0 0",
          "etc/site.conf f 640 33 33",
          "run/pipe p 600 0 0",
        ]),
      );
      expect(list.find((line) => line.startsWith("etc/site.conf"))).toMatch(/ 1000\.0000000050$/);
      expect(
        run("stat", ["-c", "%t:%T", join(mountPoint, "dev/null"), join(mountPoint, "dev/sda")]).stdout,
      ).toBe("1:3\n8:0\n");
      const capability = getXattr(join(mountPoint, "bin/ping"), "security.capability");
      expect(capability).toBe("0100000200200000000000000000000000000000");
    });
    expect(isMounted).toBe(true);
  });

  it.runIf(IS_ROOT)("has the ids of a container mapped to those of the image", () => {
    mkdirSync(at("mapped"));
    writeFileSync(at("mapped/root"), "");
    writeFileSync(at("mapped/web"), "");
    chownSync(at("mapped"), 100_000, 100_000);
    chownSync(at("mapped/root"), 100_000, 100_000);
    chownSync(at("mapped/web"), 100_033, 100_034);
    built("mapped.img", ...small, "--root", at("mapped"), "--id-map", "0:100000:65536");
    expect(run("debugfs", ["-R", "stat /web", at("mapped.img")]).stdout).toMatch(/User: +33 +Group: +34/);
    expect(refused(...small, "--root", at("mapped"), "--id-map", "0:100000:10")).toMatch(
      /\/web: its owner 100033 is in no range/,
    );
  });
});

describe("a spec", () => {
  const fields = {
    root: "tree",
    exclude: ["many", "/three*"],
    owner: "0:0",
    xattrs: "none",
    seed: "box",
    time: 1_700_000_000,
    table: "gpt",
    partitions: [
      {
        name: "boot",
        type: "esp",
        size: "40M",
        filesystem: { type: "fat32", label: "BOOT" },
        mount: "/boot",
      },
      {
        name: "root",
        size: "rest",
        additionalSpace: "2M",
        filesystem: { type: "ext4", features: ["orphan_file"] },
        mount: "/",
        attributes: ["grow-file-system"],
      },
    ],
    files: [{ path: "/etc/hostname", text: "box\n", mode: "600" }],
    symlinks: [{ path: "/sh", target: "bin/sh" }],
    fstab: "partuuid",
  };

  it("gives the same bytes as JSON, as YAML, and as options", () => {
    writeFileSync(at("spec.json"), JSON.stringify(fields));
    writeFileSync(
      at("spec.yaml"),
      `root: tree
exclude: [many, /three*]
owner: "0:0"
xattrs: none
seed: box
time: 2023-11-14T22:13:20Z
table: gpt
partitions:
  - {name: boot, type: esp, size: 40M, filesystem: {type: fat32, label: BOOT}, mount: /boot}
  - name: root
    size: rest
    additionalSpace: 2M
    filesystem:
      type: ext4
      features: orphan_file
    mount: /
    attributes: grow-file-system
files:
  - path: /etc/hostname
    mode: "600"
    text: |
      box
symlinks: [{path: /sh, target: bin/sh}]
fstab: partuuid
`,
    );
    const json = built("json.img", at("spec.json"));
    expect(built("yaml.img", at("spec.yaml"))).toBe(json);
    const flags = [
      [
        "--root",
        tree,
        "--exclude",
        "many",
        "--exclude",
        "/three*",
        "--owner",
        "0:0",
        "--xattrs",
        "none",
        "--seed",
        "box",
        "--time",
        "1700000000",
      ],
      [
        "--table",
        "gpt",
        "--partition",
        "name: boot, type: esp, size: 40M, filesystem: {type: fat32, label: BOOT}, mount: /boot",
      ],
      [
        "--partition",
        "{name: root, size: rest, additionalSpace: 2M, filesystem: {type: ext4, features: [orphan_file]}, mount: /, attributes: [grow-file-system]}",
      ],
      [
        "--file",
        'path: /etc/hostname, text: "box\\n", mode: "600"',
        "--symlink",
        "/sh=bin/sh",
        "--fstab",
        "partuuid",
      ],
    ].flat();
    expect(built("flags.img", ...flags)).toBe(json);
    expect(built("both.img", at("spec.yaml"), "--seed", "other")).not.toBe(json);
    const spec = diskwright(["spec", at("spec.yaml")]).stdout;
    writeFileSync(at("again.json"), spec);
    expect(built("again.img", at("again.json"))).toBe(json);
  });

  it.each(
    LAYOUT_NAMES.flatMap(
      (layout) =>
        [
          [layout, []],
          [layout, ["--compat", "nixpkgs"]],
        ] as [string, string[]][],
    ),
  )("that writes the preset %s out gives its bytes %j", (layout, options) => {
    const sizes =
      options.length > 0 ? ["--additional-space", "64M"] : ["--additional-space", "1M", "--boot-size", "64M"];
    const args = ["--layout", layout, ...options, ...sizes, "--label", "x", "--features", "orphan_file"];
    const source = join(import.meta.dirname, "../../examples/tree");
    const { stdout, status } = diskwright(["spec", ...args]);
    expect(status).toBe(0);
    writeFileSync(at("preset.json"), stdout);
    expect(JSON.parse(stdout)).not.toHaveProperty("layout");
    expect(built("spec.img", at("preset.json"), "--root", source)).toBe(
      built("preset.img", ...args, "--root", source),
    );
  });

  it("puts blobs, raw partitions and boot code where they belong, and refuses what overlaps", () => {
    writeFileSync(at("u-boot.bin"), Buffer.alloc(700_000, "U"));
    writeFileSync(at("raw.bin"), Buffer.alloc(3000, "R"));
    writeFileSync(
      at("boot.img"),
      Buffer.concat([Buffer.alloc(440, "B"), Buffer.alloc(70), Buffer.of(0x55, 0xaa)]),
    );
    writeFileSync(
      at("board.yaml"),
      "table: mbr\nroot: tree\nxattrs: none\nbootCode: boot.img\ngaps: [{offset: 8K, image: u-boot.bin}]\npartitions:\n" +
        "  - {name: fw, type: 0x0c, size: 40M, bootable: true, filesystem: {type: fat32}, mount: /boot}\n" +
        "  - {name: raw, type: data, image: raw.bin}\n" +
        ["a", "b", "c"].map((name) => `  - {name: ${name}, size: 8M, filesystem: {type: ext4}}\n`).join("") +
        "  - {name: root, filesystem: {type: ext4}, mount: /}\nadditionalSpace: 1M\n",
    );
    built("board.img", at("board.yaml"));
    const bytes = readFileSync(at("board.img"));
    expect(bytes.subarray(0, 440).equals(Buffer.alloc(440, "B"))).toBe(true);
    expect(bytes.subarray(8192, 8192 + 700_000).equals(Buffer.alloc(700_000, "U"))).toBe(true);
    const table = JSON.parse(diskwright(["inspect", at("board.img"), "--json"]).stdout) as {
      table: {
        problems: string[];
        partitions: { number: number; offset: number; name: string; filesystem: { type: string } | null }[];
      };
    };
    expect(table.table.problems).toEqual([]);
    const numbers = table.table.partitions.map(({ number, filesystem }) => [number, filesystem?.type]);
    expect(numbers).toEqual([
      [1, "fat32"],
      [2, undefined],
      [3, "ext4"],
      [4, undefined],
      [5, "ext4"],
      [6, "ext4"],
      [7, "ext4"],
    ]);
    const raw = table.table.partitions[1]!;
    expect(bytes.subarray(raw.offset, raw.offset + 3000).equals(Buffer.alloc(3000, "R"))).toBe(true);
    expect(run("sfdisk", ["--verify", at("board.img")]).output).toContain("No errors");

    const gpt = readFileSync(at("board.yaml"), "utf8")
      .replace("mbr", "gpt")
      .replace("0x0c", "esp")
      .replace("type: data, ", "");
    writeFileSync(at("gpt.yaml"), gpt);
    expect(refused(at("gpt.yaml"))).toMatch(
      /gap u-boot\.bin, bytes 8192 to 708191, overlaps the GPT entries, .*gptEntriesAt/,
    );
    built("gpt.img", at("gpt.yaml"), "--gpt-entries-at", "1M");
    expect(run("sgdisk", ["-v", at("gpt.img")]).output).toContain("No problems found");
  });

  it("divides what is left by weights, within bounds", () => {
    writeFileSync(
      at("weights.yaml"),
      "size: 1G\nroot: tree\nxattrs: none\npartitions:\n  - {name: a, filesystem: {type: ext4}, mount: /, weight: 2}\n" +
        "  - {name: b, filesystem: {type: ext4}, weight: 1, maximum: 100M}\n  - {name: c, start: 700M, size: 50M}\n  - {name: d, minimum: 200M}\n",
    );
    const plan = JSON.parse(diskwright(["plan", at("weights.yaml"), "--json"]).stdout) as {
      table: { partitions: { offset: number; size: number }[] };
    };
    const mib = 1 << 20;
    expect(plan.table.partitions.map(({ offset, size }) => [offset / mib, size / mib])).toEqual([
      [1, 599],
      [600, 100],
      [700, 50],
      [750, 273],
    ]);
    expect(refused(at("weights.yaml"), "--size", "900M")).toMatch(
      /use at least 997,195,776 bytes: partition d needs 200 MiB/,
    );
  });

  it("writes an fstab, and types by which partitions are found", () => {
    built(
      "found.img",
      "--root",
      tree,
      "--xattrs",
      "none",
      "--fstab",
      "--discoverable",
      "arm64",
      "--additional-space",
      "1M",
      "--boot-size",
      "40M",
    );
    const { table } = JSON.parse(diskwright(["inspect", at("found.img"), "--json"]).stdout) as {
      table: {
        partitions: {
          typeName: string;
          offset: number;
          size: number;
          attributes: string;
          filesystem: { uuid: string };
        }[];
      };
    };
    expect(table.partitions.map(({ typeName }) => typeName)).toEqual(["esp", "root-arm64"]);
    const root = table.partitions[1]!;
    run("dd", [`if=${at("found.img")}`, `of=${at("root.part")}`, "bs=1M", `skip=${root.offset >> 20}`]);
    expect(
      run("debugfs", ["-R", "cat /etc/fstab", at("root.part")])
        .stdout.trim()
        .split("\n")
        .slice(1),
    ).toEqual([
      `UUID=${root.filesystem.uuid} / ext4 defaults 0 1`,
      `UUID=${table.partitions[0]!.filesystem.uuid} /boot vfat umask=0077 0 2`,
    ]);
    const boot = table.partitions[0]!;
    run("dd", [
      `if=${at("found.img")}`,
      `of=${at("esp.part")}`,
      "bs=1M",
      `skip=${boot.offset >> 20}`,
      `count=${boot.size >> 20}`,
    ]);
    expectCleanFat(at("esp.part"));
    expect(run("mtype", ["-i", at("esp.part"), "::loader/entries.srel"]).stdout).toBe("type1\n");
  });
});

it("what is described wrongly is told with its place, and nothing is written", () => {
  writeFileSync(at("wrong.yaml"), "root: tree\nsize: 1x\npartitons: []\n");
  const error = refused(at("wrong.yaml"));
  expect(error).toContain("wrong.yaml:2:1: size: expected a size");
  expect(error).toContain("wrong.yaml:3:1: partitons: there is no such field: did you mean partitions?");
  expect(refused("--root", tree, "--partition", "name: a, size: b")).toMatch(
    /--partition:1:\d+: size: expected/,
  );
  expect(diskwright(["build", at("nowhere.yaml"), "-o", at("x")]).status).toBe(2);
  symlinkSync("nowhere", at("dangling"));
  expect(diskwright(["build", "--layout", "none", "-o", at("x")]).stderr).toMatch(/nothing goes in/);
});
