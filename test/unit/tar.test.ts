import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { printable, utf8 } from "../../src/bytes/index.ts";
import { DiskwrightError } from "../../src/errors.ts";
import { FileReader, type TarOptions, tarArchive } from "../../src/node/index.ts";
import { type TarMember, TarReader } from "../../src/tar/index.ts";
import type { Tree } from "../../src/tree/index.ts";
import { ODD_ARCHIVES } from "../corpus/tar/archives.ts";
import { scratchDirectory } from "../support/referee.ts";
import {
  base256,
  END_MARK,
  GNU,
  gnuLong,
  gnuSparse,
  header,
  joined,
  member,
  memoryInput,
  padded,
  pax,
  V7,
} from "../support/tar-writer.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";
import { acl } from "../support/xattrs.ts";

const scratch = scratchDirectory();

interface Found {
  readonly members: readonly TarMember[];
  readonly contents: readonly string[];
  readonly warnings: readonly string[];
}

async function read(...parts: readonly Uint8Array[]): Promise<Found> {
  return await readAll(joined(...parts, END_MARK));
}

async function readAll(archive: Uint8Array): Promise<Found> {
  const warnings: string[] = [];
  const reader = new TarReader(memoryInput(archive), (warning) => warnings.push(warning));
  const members: TarMember[] = [];
  const contents: string[] = [];
  for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
    const parts: number[] = [];
    await reader.content((bytes) => void parts.push(...bytes));
    members.push(found);
    contents.push(printable(Uint8Array.from(parts)));
  }
  return { members, contents, warnings };
}

async function only(...parts: readonly Uint8Array[]): Promise<TarMember & { shown: string }> {
  const { members } = await read(...parts);
  expect(members).toHaveLength(1);
  return { ...members[0]!, shown: printable(members[0]!.path) };
}

let number = 0;

/** An archive in a file. */
function archiveFile(...parts: readonly Uint8Array[]): string {
  const path = join(scratch, `archive-${number++}.tar`);
  writeFileSync(path, joined(...parts, END_MARK));
  return path;
}

async function treeFrom(options: TarOptions, ...parts: readonly Uint8Array[]): Promise<Tree> {
  return await tarArchive(archiveFile(...parts), options);
}

async function pathsOf(...parts: readonly Uint8Array[]): Promise<string[]> {
  return [...(await treeSnapshot(await treeFrom({}, ...parts))).keys()];
}

describe("headers", () => {
  it("reads all that a plain one says", async () => {
    const found = await only(
      member(
        { name: "a/b", mode: 0o104755, uid: 1000, gid: 100, mtime: 1_700_000_000, prefix: "far/away" },
        "12345",
      ),
    );
    expect(found).toMatchObject({
      shown: "far/away/a/b",
      type: "file",
      mode: 0o4755,
      uid: 1000,
      gid: 100,
      mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
      size: 5,
      stored: 5,
      position: 512,
      offset: 0,
      xattrs: undefined,
      data: undefined,
    });
  });

  it.each([
    ["\0", "file"],
    ["0", "file"],
    ["7", "file"],
    ["1", "hardlink"],
    ["2", "symlink"],
    ["3", "character"],
    ["4", "block"],
    ["5", "directory"],
    ["6", "fifo"],
    ["D", "directory"],
  ])("type %j is a %s", async (type, expected) => {
    expect((await only(header({ type, link: "target", magic: GNU }))).type).toBe(expected);
  });

  it("takes what it does not know for a file, and says so", async () => {
    const { members, contents, warnings } = await read(member({ name: "odd", type: "Z" }, "content"));
    expect(members[0]!.type).toBe("file");
    expect(contents).toEqual(["content"]);
    expect(warnings).toEqual(['odd: its type "Z" is unknown: taken for a file']);
  });

  it("passes over labels of volumes, and over what is in a list of a directory", async () => {
    const { members } = await read(
      header({ name: "label", type: "V", magic: GNU }),
      member({ name: "d/", type: "D", magic: GNU }, "Yfile\0\0"),
      member({ name: "d/file" }),
    );
    expect(members.map(({ path }) => printable(path))).toEqual(["d/", "d/file"]);
  });

  it("tells directories of old archives by their slash", async () => {
    expect((await only(header({ name: "d/", type: "\0", magic: V7 }))).type).toBe("directory");
  });

  it("has no prefix where GNU tar has times", async () => {
    expect((await only(header({ name: "a", magic: GNU, prefix: "01234567012" }))).shown).toBe("a");
  });

  it("takes a checksum of signed bytes", async () => {
    const signed = (block: Uint8Array): number =>
      block.reduce(
        (sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte > 127 ? byte - 256 : byte),
        0,
      );
    const found = await only(header({ name: Uint8Array.of(0xff, 0xe4, 0x61), checksum: signed }));
    expect(found.path).toEqual(Uint8Array.of(0xff, 0xe4, 0x61));
  });

  it.each([
    ["blanks before and behind", utf8("  1750 \0"), 1000],
    ["no end", utf8("00001750"), 1000],
    ["nothing", new Uint8Array(8), 0],
    ["something behind the end", utf8("1750\x00xyz"), 1000],
    ["base 256", base256(4_294_967_294n, 8), 4_294_967_294],
  ])("reads a number with %s", async (_, uid, expected) => {
    expect((await only(header({ uid }))).uid).toBe(expected);
  });

  it("reads a time before 1970 in base 256", async () => {
    expect((await only(header({ mtime: base256(-86_400n, 12), magic: GNU }))).mtime.seconds).toBe(-86_400);
  });

  it("reads the numbers of devices", async () => {
    const device = { name: "dev", type: "4", major: 259, minor: 7 };
    expect((await only(header(device))).device).toEqual({ major: 259, minor: 7 });
    const found = await only(
      pax([
        ["SCHILY.devmajor", "4095"],
        ["SCHILY.devminor", "1048575"],
      ]),
      header(device),
    );
    expect(found.device).toEqual({ major: 4095, minor: 1_048_575 });
  });

  it("reads long names of GNU tar", async () => {
    const found = await only(
      gnuLong("K", "t".repeat(300)),
      gnuLong("L", "n".repeat(200)),
      header({ type: "2", link: "t".repeat(100), name: "n".repeat(100), magic: GNU }),
    );
    expect(found.shown).toBe("n".repeat(200));
    expect(printable(found.target)).toBe("t".repeat(300));
  });

  it("goes on behind content that nobody asked for", async () => {
    const archive = joined(member({ name: "a" }, "a".repeat(5000)), member({ name: "b" }, "b"), END_MARK);
    const reader = new TarReader(memoryInput(archive));
    await reader.next();
    expect(printable((await reader.next())!.path)).toBe("b");
    expect(await reader.next()).toBeUndefined();
    expect(await reader.next()).toBeUndefined();
  });
});

describe("the size of a hard link", () => {
  const link = header({ name: "l", type: "1", link: "a", size: 600 });
  const file = member({ name: "a" }, "a".repeat(600));
  const last = member({ name: "z" }, "z");

  it("is for show where a header follows", async () => {
    const { members } = await read(file, link, last);
    expect(members.map(({ path, stored }) => [printable(path), stored])).toEqual([
      ["a", 600],
      ["l", 0],
      ["z", 1],
    ]);
  });

  it("is that of content where none does", async () => {
    const { members, contents } = await read(file, link, padded("a".repeat(600)), last);
    expect(members.map(({ path }) => printable(path))).toEqual(["a", "l", "z"]);
    expect(contents[1]).toBe("a".repeat(600));
    const ignored = new TarReader(memoryInput(joined(file, link, padded("a".repeat(600)), last, END_MARK)));
    for (const name of ["a", "l", "z"]) expect(printable((await ignored.next())!.path)).toBe(name);
  });

  it("is that of zeros in pax, and for show at the end of other archives", async () => {
    const zeros = new Uint8Array(1024);
    expect((await read(pax([["comment", "x"]]), file, link, zeros, last)).members).toHaveLength(3);
    expect((await read(file, link)).members).toHaveLength(2);
    expect((await readAll(joined(file, link))).members).toHaveLength(2);
  });
});

describe("extended headers", () => {
  it("go before what the header says", async () => {
    const found = await only(
      pax([
        ["path", "näme"],
        ["linkpath", "tärget"],
        ["uid", "4294967294"],
        ["gid", "70000"],
        ["mtime", "1.5"],
      ]),
      header({ name: "x", link: "y", type: "2" }),
    );
    expect(found).toMatchObject({
      path: utf8("näme"),
      target: utf8("tärget"),
      uid: 4_294_967_294,
      gid: 70_000,
      mtime: { seconds: 1, nanoseconds: 500_000_000 },
    });
  });

  it("say sizes that a header cannot", async () => {
    const archive = joined(
      pax([["size", "8589934592"]]),
      header({ name: "large", size: 0 }),
      new Uint8Array(1),
    );
    const found = await new TarReader(memoryInput(archive)).next();
    expect(found).toMatchObject({ size: 8 * 2 ** 30, stored: 8 * 2 ** 30 });
  });

  it.each([
    ["0", 0, 0],
    ["-0.0", 0, 0],
    ["1.000000001", 1, 1],
    ["1.9999999999", 1, 999_999_999],
    ["-1", -1, 0],
    ["-1.25", -2, 750_000_000],
    ["-0.000000001", -1, 999_999_999],
    ["-0.0000000001", -1, 999_999_999],
    ["12.", 12, 0],
    ["1e-05", 0, 10_000],
    ["1.5e-9", 0, 1],
    ["1.25E+2", 125, 0],
    ["1.7e+09", 1_700_000_000, 0],
    ["1.6999999999876543e+09", 1_699_999_999, 987_654_300],
    ["-1e-05", -1, 999_990_000],
    ["0e9999", 0, 0],
    ["1e-9999", 0, 0],
  ])("time %s", async (text, seconds, nanoseconds) => {
    expect((await only(pax([["mtime", text]]), header())).mtime).toEqual({ seconds, nanoseconds });
  });

  it("hold for all members when they are global, until others say otherwise", async () => {
    const { members } = await read(
      pax(
        [
          ["uid", "7"],
          ["comment", "x"],
        ],
        "g",
      ),
      header({ name: "a" }),
      pax([["uid", "8"]]),
      header({ name: "b" }),
      header({ name: "c" }),
      pax([["uid", ""]], "g"),
      header({ name: "d", uid: 9 }),
    );
    expect(members.map(({ uid }) => uid)).toEqual([7, 8, 7, 9]);
  });
});

describe("extended attributes", () => {
  const value = utf8("a=b\n\0 12 c=d\n");

  it("have values of any bytes", async () => {
    const found = await only(
      pax([
        ["SCHILY.xattr.user.any", value],
        ["SCHILY.xattr.user.empty", ""],
        ["SCHILY.xattr.user.ümlaut", Uint8Array.of(0xff, 0)],
      ]),
      header(),
    );
    expect(found.xattrs).toEqual(
      new Map([
        ["user.any", value],
        ["user.empty", new Uint8Array(0)],
        ["user.ümlaut", Uint8Array.of(0xff, 0)],
      ]),
    );
  });

  it("of libarchive are in base64, their names escaped; plain ones go first", async () => {
    const found = await only(
      pax([
        ["LIBARCHIVE.xattr.user.%c3%bc%20x", "AP8K"],
        ["LIBARCHIVE.xattr.user.both%20ways", "AAAA"],
        ["SCHILY.xattr.user.both%20ways", "plain"],
        ["SCHILY.xattr.user.a%3Db%25c", "as GNU tar escapes it"],
        ["SCHILY.xattr.user.%c3", "no escape of GNU tar"],
      ]),
      header(),
    );
    expect(found.xattrs).toEqual(
      new Map([
        ["user.ü x", Uint8Array.of(0, 0xff, 10)],
        ["user.both ways", utf8("plain")],
        ["user.a=b%c", utf8("as GNU tar escapes it")],
        ["user.%c3", utf8("no escape of GNU tar")],
      ]),
    );
  });

  it("that cannot be read are told of", async () => {
    const { members, warnings } = await read(
      pax([
        ["LIBARCHIVE.xattr.user.bad", "A"],
        ["SCHILY.acl.ace", "owner@:rwx::allow"],
      ]),
      header({ name: "x" }),
    );
    expect(members[0]!.xattrs).toBeUndefined();
    expect(warnings).toEqual([
      "x: the extended attribute in LIBARCHIVE.xattr.user.bad cannot be read and is left out",
      expect.stringMatching(
        /^x: the access control list in SCHILY\.acl\.ace is left out: it is one of NFSv4/,
      ),
    ]);
  });

  it("get labels with the end that a kernel gives them", async () => {
    const found = await only(pax([["RHT.security.selinux", "system_u:object_r:etc_t:s0"]]), header());
    expect(found.xattrs).toEqual(new Map([["security.selinux", utf8("system_u:object_r:etc_t:s0\0")]]));
  });
});

describe("access control lists", () => {
  const full = acl([1, 6], [2, 4, 5], [2, 7, 1000], [4, 5], [8, 1, 50], [16, 7], [32, 0]);

  it.each([
    ["lines", "user::rw-\nuser:1000:rwx\nuser:5:r--\ngroup::r-x\ngroup:50:--x\nmask::rwx\nother::---\n"],
    [
      "the form of star, with numbers behind names",
      "user::rw-,user:lisa:rwx:1000,user:joe:r--:5,group::r-x,group:staff:--x:50,mask::rwx,other::---",
    ],
    [
      "short words and comments",
      "u::rw\nu:1000:rwx #effective:rwx\nu:5:r\n\n# all\ng::rx\ng:50:x\nm:rwx\no:-",
    ],
  ])("in %s", async (_, text) => {
    const found = await only(pax([["SCHILY.acl.access", text]]), header());
    expect(found.xattrs).toEqual(new Map([["system.posix_acl_access", full]]));
  });

  it("that say no more than the mode are left out, but not those for new files", async () => {
    const plain = "user::rwx,group::r-x,other::---";
    const found = await only(
      pax([
        ["SCHILY.acl.access", plain],
        ["SCHILY.acl.default", plain],
      ]),
      header({ type: "5" }),
    );
    expect(found.xattrs).toEqual(new Map([["system.posix_acl_default", acl([1, 7], [4, 5], [32, 0])]]));
  });

  it.each([
    [
      "user:lisa:rwx",
      /"user:lisa:rwx" has a name in place of a number: pack with numbers \(--numeric-owner\)/,
    ],
    ["user::rwx,group::rwx,mask:5:rwx,other::---", /"mask:5:rwx" is no entry of one/],
    ["user::rwx,group::rwx,user:4294967295:rwx", /has a number that is not below/],
    ["toString::rwx", /is no entry of one/],
    ["user::rwz", /is no entry of one/],
    ["user::rwx,group::rwx", /it needs one entry each for the owner, the group and others/],
    ["user::rwx,group::rwx,other::rwx,user:5:r--", /it needs one mask/],
  ])("%s is told of", async (text, reason) => {
    const { members, warnings } = await read(pax([["SCHILY.acl.access", text]]), header({ name: "x" }));
    expect(members[0]!.xattrs).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(reason)]);
    expect(warnings[0]).toMatch(/^x: the access control list in SCHILY\.acl\.access is left out: /);
  });
});

describe("sparse files", () => {
  const data = [
    { offset: 0, length: 2 },
    { offset: 10_000, length: 3 },
  ];
  const expected = { shown: "holes", type: "file", size: 20_000, stored: 5, data };

  it("of GNU tar", async () => {
    const { over, extensions } = gnuSparse(data, 20_000);
    const head = header({ name: "holes", type: "S", magic: GNU, size: 5, over });
    expect(await only(head, extensions, padded("abcde"))).toMatchObject({ ...expected, position: 512 });
  });

  it("of GNU tar, with blocks of more parts", async () => {
    const many = Array.from({ length: 60 }, (_, index) => ({ offset: index * 8192, length: 1 }));
    const { over, extensions } = gnuSparse(many, 1_000_000);
    expect(extensions.length).toBe(3 * 512);
    const head = header({ name: "holes", type: "S", magic: GNU, size: 60, over });
    const found = await only(head, extensions, padded("x".repeat(60)));
    expect(found).toMatchObject({ data: many, size: 1_000_000, position: 4 * 512 });
  });

  it("of pax 0.0", async () => {
    const records: [string, string][] = [
      ["GNU.sparse.size", "20000"],
      ["GNU.sparse.numblocks", "2"],
      ["GNU.sparse.offset", "0"],
      ["GNU.sparse.numbytes", "2"],
      ["GNU.sparse.offset", "10000"],
      ["GNU.sparse.numbytes", "3"],
    ];
    expect(await only(pax(records), member({ name: "holes" }, "abcde"))).toMatchObject(expected);
  });

  it("of pax 0.1", async () => {
    const records: [string, string][] = [
      ["GNU.sparse.name", "holes"],
      ["GNU.sparse.size", "20000"],
      ["GNU.sparse.map", "0,2,10000,3"],
    ];
    expect(await only(pax(records), member({ name: "x" }, "abcde"))).toMatchObject(expected);
  });

  it("of pax 1.0, with the end of the file as an empty part", async () => {
    const records: [string, string][] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", "holes"],
      ["GNU.sparse.realsize", "20000"],
    ];
    const content = joined(padded("3\n0\n2\n10000\n3\n20000\n0\n"), "abcde");
    const found = await only(pax(records), member({ name: "x" }, content));
    expect(found).toMatchObject(expected);
    expect(found.position - found.offset).toBe(1024);
  });

  it("are trees with the same holes as those of a directory, and read as zeros there", async () => {
    const content = joined("ab", new Uint8Array(9998), "cde");
    const zeros = padded("3\n0\n2\n4096\n4096\n10000\n3\n");
    const records: [string, string][] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "20000"],
    ];
    const file = member({ name: "x" }, joined(zeros, "ab", new Uint8Array(4096), "cde"));
    const tree = await treeFrom({}, pax(records), file);
    const [entry] = [...tree.entries()].filter(({ type }) => type === "file");
    expect(entry!.data).toEqual([
      { offset: 0, length: 4096 },
      { offset: 8192, length: 4096 },
    ]);
    const reader = new FileReader();
    const bytes = new Uint8Array(20_000);
    for (let done = 0; done < bytes.length; ) {
      const count = reader.read(entry!.content as never, done, bytes.subarray(done, done + 3000));
      expect(count).toBeGreaterThan(0);
      done += count;
    }
    expect(Buffer.compare(bytes.subarray(0, content.length), content)).toBe(0);
    expect(bytes.subarray(content.length).every((byte) => byte === 0)).toBe(true);
    // Backwards, too.
    expect(reader.read(entry!.content as never, 1, bytes.subarray(0, 1))).toBe(1);
    expect(bytes[0]).toBe("b".charCodeAt(0));
    reader.close();
  });
});

describe("the end", () => {
  const file = member({ name: "a" }, "a");

  it.each([
    ["is two blocks of zeros", [file, END_MARK, utf8("anything")], []],
    ["can be missing", [file], [/ends without an end mark/]],
    ["can be half", [file, new Uint8Array(512)], [/half an end mark at byte 1024/]],
    ["can be half, with more behind it", [file, new Uint8Array(512), file], [/half an end mark/]],
  ])("%s", async (_, parts, expected) => {
    const { members, warnings } = await readAll(joined(...parts));
    expect(members).toHaveLength(1);
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});

describe("odd archives", () => {
  it.each(ODD_ARCHIVES.map(({ what, ...rest }) => [what, rest] as const))(
    "%s",
    async (_, { bytes, expected }) => {
      const path = join(scratch, "odd.tar");
      writeFileSync(path, bytes);
      const found = await tarArchive(path).catch((error: unknown) => error);
      if (expected === "tree") {
        expect(found).not.toBeInstanceOf(Error);
        return;
      }
      expect(found).toBeInstanceOf(DiskwrightError);
      expect((found as Error).message).toMatch(expected);
      expect((found as Error).message).toContain("odd.tar");
    },
  );
});

describe("an archive becomes a tree", () => {
  it("in which the last of two entries with one path stays", async () => {
    const tree = await treeFrom(
      {},
      member({ name: "f", mode: 0o600 }, "first"),
      member({ name: "d/", type: "5", mode: 0o700 }),
      member({ name: "d/kept" }, "kept"),
      member({ name: "./f", mode: 0o640 }, "last"),
      member({ name: "d", type: "5", mode: 0o711 }),
      member({ name: "gone", type: "5" }),
      member({ name: "gone/x" }),
      member({ name: "gone", type: "2", link: "f" }),
    );
    const found = await treeSnapshot(tree);
    expect([...found.keys()].sort()).toEqual(["/", "/d", "/d/kept", "/f", "/gone"]);
    expect(found.get("/f")).toMatchObject({ mode: 0o640, size: 4 });
    expect(found.get("/d")).toMatchObject({ mode: 0o711 });
  });

  it("from its root, whether paths say so or not, with one warning for slashes", async () => {
    const warnings: string[] = [];
    const tree = await treeFrom(
      { onWarning: (warning) => warnings.push(warning) },
      member({ name: "./", type: "5", mode: 0o700 }),
      member({ name: "/abs" }),
      member({ name: "//etc//x" }),
      member({ name: "./rel" }),
    );
    const found = await treeSnapshot(tree);
    expect([...found.keys()].sort()).toEqual(["/", "/abs", "/etc", "/etc/x", "/rel"]);
    expect(found.get("/")).toMatchObject({ mode: 0o700 });
    expect(warnings).toEqual([expect.stringMatching(/2 names begin with a slash/)]);
  });

  it("with hard links before and behind what they name", async () => {
    const tree = await treeFrom(
      {},
      member({ name: "early", type: "1", link: "./file" }),
      member({ name: "file" }, "content"),
      member({ name: "late", type: "1", link: "/file" }),
    );
    const found = await treeSnapshot(tree);
    expect([...found.keys()].sort()).toEqual(["/", "/early", "/file", "/late"]);
    expect([...tree.entries()].filter(({ type }) => type === "hardlink")).toHaveLength(2);
  });

  it("naming all that keeps it from being one", async () => {
    const error = await treeFrom(
      {},
      member({ name: "../out" }),
      member({ name: "link", type: "2", link: "link" }),
      member({ name: "link/below" }),
      member({ name: "dangling", type: "1", link: "nothing" }),
    ).catch((thrown: unknown) => thrown as DiskwrightError);
    expect(error).toBeInstanceOf(DiskwrightError);
    const { code, problems, message } = error as DiskwrightError;
    expect(code).toBe("INVALID_TREE");
    expect(message).toMatch(/archive-\d+\.tar cannot become a tree/);
    expect(problems).toHaveLength(3);
  });

  it("without what is excluded, whose content other names keep", async () => {
    const tree = await treeFrom(
      { exclude: (path) => path === "/secret" || path === "/d" },
      member({ name: "secret" }, "shared"),
      member({ name: "d/x" }),
      member({ name: "public", type: "1", link: "secret" }),
    );
    const found = await treeSnapshot(tree);
    expect([...found.keys()].sort()).toEqual(["/", "/public"]);
    expect(found.get("/public")).toMatchObject({ size: 6, type: "file" });
  });

  it("with the attributes that are asked for, which are told apart by path", async () => {
    const asked: string[] = [];
    const records = pax([
      ["SCHILY.xattr.user.a", "1"],
      ["SCHILY.xattr.security.selinux", "2"],
    ]);
    const parts = [records, member({ name: "./.config//x/", type: "5" })];
    const names = async (xattrs: TarOptions["xattrs"]): Promise<string[]> => {
      const [, , found] = [...(await treeSnapshot(await treeFrom({ xattrs }, ...parts))).values()];
      return ((found as { xattrs?: [string][] }).xattrs ?? []).map(([name]) => name);
    };
    expect(await names(undefined)).toEqual(["user.a"]);
    expect(await names("none")).toEqual([]);
    expect(await names("all")).toEqual(["security.selinux", "user.a"]);
    expect(await names((name, path) => asked.push(path) > 0 && name === "user.a")).toEqual(["user.a"]);
    expect(new Set(asked)).toEqual(new Set(["/.config/x"]));
  });

  it("with holes where there are zeros, when that is wanted", async () => {
    const file = member({ name: "x" }, joined("a", new Uint8Array(8191), "b"));
    const dataOf = async (holes: TarOptions["holes"]): Promise<unknown> =>
      [...(await treeFrom({ holes }, file)).entries()].find(({ type }) => type === "file")!.data;
    expect(await dataOf(undefined)).toBeUndefined();
    expect(await dataOf("detect")).toEqual([
      { offset: 0, length: 4096 },
      { offset: 8192, length: 1 },
    ]);
  });
});

describe("an archive is read from", () => {
  const parts = [member({ name: "a" }, "content"), member({ name: "b" }, "more")];
  const expected = ["/", "/a", "/b"];

  it("a file that is reached by a link", async () => {
    const link = join(scratch, "latest.tar");
    symlinkSync(archiveFile(...parts), link);
    expect([...(await treeSnapshot(await tarArchive(link))).keys()]).toEqual(expected);
  });

  it("a descriptor that stays open", async () => {
    const descriptor = openSync(archiveFile(...parts), "r");
    const source = { descriptor, name: "standard input" };
    for (let time = 0; time < 2; time++) {
      const tree = await tarArchive(source, { spoolDirectory: join(scratch, "nowhere") });
      expect([...(await treeSnapshot(tree)).keys()]).toEqual(expected);
    }
    closeSync(descriptor);
  });

  it("a compressed file, from several members of gzip", async () => {
    const archive = joined(...parts, END_MARK);
    const path = join(scratch, "members.tgz");
    writeFileSync(path, joined(gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))));
    expect([...(await treeSnapshot(await tarArchive(path, { spoolDirectory: scratch }))).keys()]).toEqual(
      expected,
    );
    expect(readdirSync(scratch).filter((name) => name.endsWith(".spool"))).toEqual([]);
  });

  it("a file that must not change", async () => {
    const path = archiveFile(...parts);
    const [, entry] = [...(await tarArchive(path)).entries()];
    writeFileSync(path, joined(...parts, END_MARK, END_MARK));
    const reader = new FileReader();
    const read = (): number => reader.read(entry!.content as never, 0, new Uint8Array(1));
    expect(read).toThrow(/changed after it was scanned: it had 3,072 bytes and has 4,096 bytes/);
    reader.close();
  });

  it.each([
    ["gzip", gzipSync(joined(...parts, END_MARK)).subarray(0, 50), "CORRUPT", /cut off/],
    ["bzip2", utf8("BZh91AY&SY"), "SOURCE_UNREADABLE", /bzip2 is not read: unpack it first/],
    ["xz", Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4), "CORRUPT", /xz data is damaged or cut off/],
    ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 4), "CORRUPT", /zstd data is damaged or cut off/],
  ])("%s that is damaged, with an error", async (name, bytes, code, message) => {
    const path = join(scratch, `damaged.${name}`);
    writeFileSync(path, bytes);
    const error = await tarArchive(path, { spoolDirectory: scratch }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DiskwrightError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), path });
  });

  it("neither a directory nor nothing", async () => {
    mkdirSync(join(scratch, "directory"));
    await expect(tarArchive(join(scratch, "directory"))).rejects.toThrow(/is a directory, not a tar/);
    await expect(tarArchive(join(scratch, "missing"))).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
  });

  it("a pipe only where there is room for what it holds", async () => {
    const path = join(scratch, "unroomy.tgz");
    writeFileSync(path, gzipSync(joined(...parts, END_MARK)));
    await expect(tarArchive(path, { spoolDirectory: join(scratch, "nowhere") })).rejects.toThrow(
      /nowhere: .*name a directory with room \(--spool\)/,
    );
  });
});

describe.runIf(process.platform !== "win32")("a pipe", () => {
  /** A pipe that is being written to, and stays open. */
  function openPipe(bytes: Uint8Array): { descriptor: number; end: () => void } {
    const path = join(scratch, `pipe-${number++}`);
    spawnSync("mkfifo", [path]);
    // Open for both, as else each end would wait for the other.
    const writer = openSync(path, "r+");
    const descriptor = openSync(path, "r");
    writeFileSync(writer, bytes);
    return { descriptor, end: () => closeSync(writer) };
  }

  it("is read to its end, and its content kept", async () => {
    const { descriptor, end } = openPipe(joined(member({ name: "a" }, "content"), END_MARK));
    const pending = tarArchive({ descriptor, name: "a pipe" }, { spoolDirectory: scratch });
    end();
    expect((await treeSnapshot(await pending)).get("/a")).toMatchObject({ size: 7 });
  });

  it("is not waited for when what came is no archive", async () => {
    const { descriptor, end } = openPipe(utf8("no archive ".repeat(100)));
    await expect(tarArchive({ descriptor, name: "a pipe" })).rejects.toThrow(/a pipe: it is no tar archive/);
    end();
  });

  it("is not waited for when that is called off", async () => {
    const { descriptor, end } = openPipe(header({ name: "a", size: 1000 }));
    const controller = new AbortController();
    const pending = tarArchive({ descriptor, name: "a pipe" }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(pending).rejects.toMatchObject({ code: "ABORTED" });
    end();
  });
});

it("tells how far it is, and stops on request", async () => {
  const archive = joined(...Array.from({ length: 5000 }, (_, index) => header({ name: `f${index}` })));
  const onProgress = vi.fn();
  const path = archiveFile(archive);
  await tarArchive(path, { onProgress });
  expect(onProgress.mock.calls[0]![0]).toBeGreaterThan(0);
  await expect(tarArchive(path, { signal: { aborted: true } })).rejects.toMatchObject({ code: "ABORTED" });
});

it("takes names with more dots than two for names", async () => {
  expect(await pathsOf(member({ name: "...", type: "5" }), member({ name: ".../..x" }))).toEqual([
    "/",
    "/...",
    "/.../..x",
  ]);
});
