import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { type MtreeEntry, readMtree } from "../../src/mtree/index.ts";
import {
  accountsOf,
  applyManifest,
  capabilityValue,
  mapIds,
  parseIdMap,
  parseMode,
} from "../../src/ownership/index.ts";
import { type Entry, fileMode, type Tree, TreeDraft, treeOf } from "../../src/tree/index.ts";
import { acl } from "../support/xattrs.ts";

const PASSWD = utf8(
  "# users\nroot:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/false\n+@nis\nbad:x:y:1\nweb:x:34:1::/:\n",
);
const GROUP = utf8("root:x:0:\nwww:x:35:web\n");

describe("accounts", () => {
  const accounts = accountsOf(PASSWD, GROUP);
  it("are found by name, the first of each, and numbers stand for themselves", () => {
    expect(["root", "web", "bad", "nobody", "1000"].map((name) => accounts.uid(name))).toEqual([
      0,
      33,
      undefined,
      undefined,
      1000,
    ]);
    expect(["www", "web"].map((name) => accounts.gid(name))).toEqual([35, undefined]);
  });
  it("are found in a large file whose full names are in another encoding", () => {
    const count = 100_000;
    const line = (id: number): string => `user${id}:x:${id}:${id}:M\xfcller:/:/bin/sh\n`;
    const text = Array.from({ length: count }, (_, id) => line(id)).join("");
    const large = accountsOf(Buffer.from(text, "latin1"), undefined);
    expect(large.uid(`user${count - 1}`)).toBe(count - 1);
  });
  it("know root where there are none", () => expect(accountsOf(undefined, undefined).uid("root")).toBe(0));
});

describe("parseMode", () => {
  const D = fileMode.DIRECTORY;
  const F = fileMode.FILE;
  it.each([
    ["755", F | 0o644, F | 0o755],
    ["u=rwX,go=rX", F | 0o600, F | 0o644],
    ["u=rwX,go=rX", D | 0o700, D | 0o755],
    ["a+x", F | 0o644, F | 0o755],
    ["+x", F | 0o600, F | 0o711],
    ["go-rwx", F | 0o777, F | 0o700],
    ["u+s,g+s,+t", F | 0o755, F | 0o7755],
    ["u=", F | 0o4755, F | 0o4055],
    ["g=u", F | 0o640, F | 0o660],
    ["u=rw,g+w-r", F | 0o444, F | 0o624],
    ["D755,F644", D | 0o700, D | 0o755],
    ["D755,F644", F | 0o700, F | 0o644],
    ["Dg+s", F | 0o755, F | 0o755],
    ["4755", F | 0, F | 0o4755],
  ])("%s", (text, before, after) => expect(parseMode(text)(before).toString(8)).toBe(after.toString(8)));
  it.each(["", "8", "77777", "u", "rwx", "u=q", "755 ", "u=rw,,g=r"])("refuses %j", (text) =>
    expect(() => parseMode(text)).toThrow(/use octal digits/),
  );
});

describe("capabilityValue", () => {
  // As setcap(8) of libcap 2.66 stores them.
  it.each([
    ["cap_net_raw+ep", "0100000200200000000000000000000000000000"],
    ["cap_net_bind_service=p", "0000000200040000000000000000000000000000"],
    ["cap_setuid,cap_setgid+eip", "01000002c0000000c00000000000000000000000"],
    ["CAP_BPF=ep", "0100000200000000000000008000000000000000"],
    ["all=ep", "01000002ffffffff00000000ff01000000000000"],
  ])("%s", (text, hex) => expect(Buffer.from(capabilityValue(text)).toString("hex")).toBe(hex));
  it.each(["", "cap_net_raw", "cap_nothing+ep", "cap_net_raw+q", "cap_net_raw=ep cap_chown=p"])(
    "refuses %j",
    (text) => expect(() => capabilityValue(text)).toThrow(/capabilities "/),
  );
});

describe("id maps", () => {
  const tree = treeOf([
    {
      path: "a",
      type: "file",
      uid: 100_000,
      gid: 100_005,
      xattrs: new Map([["system.posix_acl_access", acl([1, 6], [2, 6, 100_007], [4, 4], [16, 6], [32, 4])]]),
    },
    { path: "b", type: "file", uid: 1000, gid: 1000 },
  ]);
  it("turn ids of the source into those of the image, in access control lists too", () => {
    const map = parseIdMap(["0:100000:65536", "70000:0:2000"]);
    const mapped = mapIds(tree, { uid: map, gid: map });
    expect([...mapped.columns.uid.subarray(0, 3)]).toEqual([70_000, 0, 71_000]);
    expect([...mapped.columns.gid.subarray(0, 3)]).toEqual([70_000, 5, 71_000]);
    expect(mapped.xattrs(1)!.get("system.posix_acl_access")).toEqual(
      acl([1, 6], [2, 6, 7], [4, 4], [16, 6], [32, 4]),
    );
  });
  it("name what lies in no range", () => {
    const map = parseIdMap(["0:100000:65536"]);
    expect(() => mapIds(tree, { uid: map, gid: [] })).toThrow(
      /\/: its owner 0 is in no range\n {2}\/b: its owner 1000/,
    );
  });
  it.each([["0:1"], ["0:0:0"], ["4294967295:0:2"], ["a:b:c"]])("refuse %s", (text) =>
    expect(() => parseIdMap([text])).toThrow(/INSIDE:OUTSIDE:COUNT/),
  );
  it("refuse ranges that overlap", () => {
    expect(() => parseIdMap(["0:100:10", "50:105:1"])).toThrow(/0:100:10 and 50:105:1 overlap/);
    expect(() => parseIdMap(["0:100:10", "9:500:1"])).toThrow(/overlap/);
  });
});

describe("a manifest", () => {
  const ENTRIES: Entry[] = [
    { path: "dev", type: "directory" },
    { path: "dev/null", type: "file" },
    { path: "bin/ping", type: "file", content: "x", uid: 1000 },
    { path: "bin/pong", type: "hardlink", target: "bin/ping" },
    { path: "etc/a.conf", type: "file", uid: 1000 },
    { path: "etc/b.conf", type: "file", uid: 1000 },
    { path: "etc/*", type: "file", uid: 1000 },
  ];
  function applied(text: string, entries = ENTRIES): { tree: Tree; warnings: string[] } {
    const draft = new TreeDraft();
    draft.lay(treeOf(entries), utf8(""));
    const warnings: string[] = [];
    const manifest: MtreeEntry[] = readMtree(utf8(text), "m");
    applyManifest(draft, manifest, accountsOf(PASSWD, GROUP), warnings);
    return { tree: draft.finish(), warnings };
  }
  const of = ({ tree }: { tree: Tree }, path: string) => tree.entry(tree.find(path)!);

  it("lets a pattern match what lines before it have made, and not what they have taken away", () => {
    const result = applied(
      "./etc/*.conf mode=600\n./etc/c.conf type=fifo mode=644\n./etc/a.conf type=link link=b.conf\n./etc/*.conf uid=7\n./etc/[ab].conf gid=8",
    );
    expect(of(result, "/etc/c.conf")).toMatchObject({ type: "fifo", uid: 7, gid: 0 });
    expect(of(result, "/etc/a.conf")).toMatchObject({ type: "symlink", uid: 7, gid: 8 });
    expect(of(result, "/etc/b.conf")).toMatchObject({ type: "file", mode: 0o600, uid: 7, gid: 8 });
    expect(result.warnings).toEqual([]);
  });

  it("takes thousands of patterns of a large directory, and many lines", () => {
    const entries = Array.from(
      { length: 5000 },
      (_, n): Entry => ({ path: `d/file-${n}.txt`, type: "file" }),
    );
    const from = performance.now();
    const patterns = Array.from({ length: 2000 }, (_, n) => `./d/*y${n}* optional mode=600\n`).join("");
    const lines = Array.from({ length: 50_000 }, (_, n) => `./d/file-${n % 5000}.txt type=file uid=${n}\n`);
    const result = applied(`${patterns}${lines.join("")}./d/*-7.* gid=9\n`, entries);
    expect(of(result, "/d/file-7.txt")).toMatchObject({ uid: 45_007, gid: 9 });
    // A tenth of it on a machine that is idle.
    expect(performance.now() - from).toBeLessThan(10_000);
  });

  it("makes devices, also of files that stand for them", () => {
    const result = applied(
      "./dev/null type=char device=native,1,3 mode=666\n./dev/sda type=block device=0x800\n./run/x type=fifo mode=600 uid=5",
    );
    expect(of(result, "/dev/null")).toMatchObject({
      type: "character",
      mode: 0o666,
      device: { major: 1, minor: 3 },
    });
    expect(of(result, "/dev/sda")).toMatchObject({ type: "block", device: { major: 8, minor: 0 } });
    expect(of(result, "/run/x")).toMatchObject({ type: "fifo", uid: 5, mode: 0o600 });
  });
  it("sets owners by name in the tree's own accounts, capabilities, and all names of a hard link", () => {
    const result = applied("./bin/pong uname=web gname=www mode=4755 capabilities=cap_net_raw+ep time=7.5");
    const ping = result.tree.entry(result.tree.find("/bin/ping")!);
    expect(ping).toMatchObject({ uid: 33, gid: 35, mode: 0o4755, mtime: 7_000_000_005n });
    expect(ping.xattrs!.get("security.capability")).toEqual(capabilityValue("cap_net_raw+ep"));
    expect(result.tree.linkCount(result.tree.find("/bin/ping")!)).toBe(2);
  });
  it("matches patterns, and takes what is escaped as it is", () => {
    const result = applied(
      "./etc/*.conf uid=1\n./etc/\\* gid=2\n./etc/[!a*].conf mode=600\n./nothing/* uid=1\n./etc/* mode=640",
    );
    expect(of(result, "/etc/a.conf")).toMatchObject({ uid: 1, gid: 0, mode: 0o644 });
    expect(of(result, "/etc/b.conf")).toMatchObject({ uid: 1, gid: 0, mode: 0o600 });
    expect(of(result, "/etc/*")).toMatchObject({ uid: 1000, gid: 2, mode: 0o640 });
    expect(result.warnings).toEqual(["m:4: /nothing/* matches nothing"]);
  });
  it("takes a name over a number, and the number where the name is unknown", () => {
    const result = applied("./etc/a.conf uname=web uid=7\n./etc/b.conf uname=stranger uid=8");
    expect([of(result, "/etc/a.conf").uid, of(result, "/etc/b.conf").uid]).toEqual([33, 8]);
  });
  it("tells everything that cannot be set, with its line", () => {
    const text =
      "./etc/c.conf mode=600\n./etc/a.conf uname=stranger\n./bin type=file\n./bin type=char device=1,2\n./dev/x type=char\n./etc/b.conf mode=9\n./no optional mode=1\n";
    expect(() => applied(text)).toThrow(
      new RegExp(
        [
          "m:1: /etc/c.conf is not in the tree",
          "m:2: /etc/a.conf: there is no user stranger in etc/passwd",
          "m:3: /bin is a directory in the tree, and cannot become a file",
          "m:4: /bin is a directory with entries, and cannot become a character",
          "m:5: /dev/x: a device needs its number",
          'm:6: /etc/b.conf: mode "9"',
        ].join("[^]*"),
      ),
    );
  });
  it("understands what NetBSD and libarchive write", () => {
    const text =
      "#mtree\n/set type=file uid=1 \\\n  gid=2\n.  type=dir\n  etc type=dir uid=3\n    a.conf mode=0600\n  # comment\n  ..\n/unset uid\n  bin type=dir\n    ping\n    ..\n..\n";
    const result = applied(text);
    expect(of(result, "/etc/a.conf")).toMatchObject({ uid: 1, gid: 2, mode: 0o600 });
    expect(of(result, "/etc").uid).toBe(3);
    expect(of(result, "/bin/ping")).toMatchObject({ uid: 1000, gid: 2 });
  });
  it.each([
    ["a keyword that is unknown", "./a color=red", /m:1: the keyword color is unknown/],
    ["a type that is unknown", "./a type=door", /m:1: type=door/],
    ["a path that climbs", "./a\n../b/c uid=1", /m:2: the name \.\.\/b\/c cannot be read/],
    ["an escape that means nothing", "./a\\q", /cannot be read/],
    ["a NUL", "./a\\000b", /cannot be read/],
    ["an id that is none", "./a uid=-1", /uid=-1/],
    ["base64 that is none", "./a xattr.user.x=***", /no base64/],
    ["a line without end", `./${"a".repeat(70_000)}`, /longer than/],
  ])("refuses %s", (_, text, message) => expect(() => readMtree(utf8(text), "m")).toThrow(message));
});
