import { spawn, spawnSync } from "node:child_process";
import { createReadStream, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { beforeAll, expect, it } from "vitest";
import { contentBytes } from "../../src/extents/index.ts";
import { directory, FileReader, tarArchive } from "../../src/node/index.ts";
import { unpackZstd } from "../../src/node/zstd.ts";
import type { Tree } from "../../src/tree/index.ts";
import { IS_ROOT, makeHostTree } from "../support/host-tree.ts";
import { setXattr } from "../support/host-xattrs.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { paxArchive, type WriterEntry } from "../support/tar-writer.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";
import { acl } from "../support/xattrs.ts";

const scratch = scratchDirectory();
const root = join(scratch, "tree");
const programs = ["tar", "bsdtar", "python3", "gzip", "xz", "zstd"];

/** The tree with times in whole seconds: older formats have no others. */
const whole = join(scratch, "whole");

beforeAll(async () => {
  await makeHostTree(root);
  // No archive holds a socket.
  for (const name of readdirSync(root)) if (name === "socket") rmSync(join(root, name));
  setXattr(join(root, "one"), "user.binary", Buffer.from("ff80c0fe000a3d", "hex"));
  setXattr(join(root, "one"), "user.empty", "");
  setXattr(join(root, "a"), "user.of a directory", "yes");
  setXattr(
    join(root, "setuid"),
    "security.capability",
    Buffer.from("0100000200200000000000000000000000000000", "hex"),
  );
  spawnSync("cp", ["-a", root, whole]);
  spawnSync("find", [whole, "-depth", "-exec", "touch", "-h", "-d", "@1000000000", "{}", "+"]);
  // Numbers without names, as archives have names where there are some.
  const named = acl([1, 6], [2, 6, 54_321], [4, 4], [8, 4, 65_432], [16, 6], [32, 4]);
  setXattr(join(root, "block"), "system.posix_acl_access", named);
  setXattr(join(root, "many"), "system.posix_acl_default", named);
  setXattr(join(root, "links"), "system.posix_acl_default", acl([1, 7], [4, 5], [32, 0]));
});

async function expectSame(tree: Tree, from: string, xattrs: "none" | "portable"): Promise<void> {
  const expected = await treeSnapshot(await directory(from, { xattrs }));
  const found = await treeSnapshot(tree);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [path, entry] of expected)
    expect({ path, ...(found.get(path) as object) }).toEqual({ path, ...(entry as object) });
}

function pack(program: string, ...args: string[]): string {
  const result = run(program, args);
  expect(result.status, result.output).toBe(0);
  return args[args.indexOf("-cf") + 1]!;
}

const XATTRS = ["--xattrs", "--xattrs-include=*", "--acls"];

describeWith(programs, "an archive is read as the directory that it was packed from", () => {
  it.each([
    ["posix", ["--format=posix", ...XATTRS]],
    ["posix, sparse 0.0", ["--format=posix", "-S", "--sparse-version=0.0", ...XATTRS]],
    ["posix, sparse 0.1", ["--format=posix", "-S", "--sparse-version=0.1", ...XATTRS]],
    ["posix, sparse 1.0", ["--format=posix", "-S", "--sparse-version=1.0", ...XATTRS]],
  ])("GNU tar, %s", async (name, options) => {
    const archive = pack("tar", "-C", root, "-cf", join(scratch, `${name}.tar`), ...options, ".");
    const isSparse = options.includes("-S");
    await expectSame(await tarArchive(archive, { holes: isSparse ? "keep" : "detect" }), root, "portable");
  });

  it.each([
    ["gnu", ["--format=gnu", "-S"]],
    ["oldgnu", ["--format=oldgnu", "-S"]],
  ])("GNU tar, %s", async (name, options) => {
    const archive = pack("tar", "-C", whole, "-cf", join(scratch, `${name}.tar`), ...options, ".");
    await expectSame(await tarArchive(archive), whole, "none");
  });

  it.each(["ustar", "v7"])("GNU tar, %s, as far as it goes", async (format) => {
    const plain = join(whole, "links");
    const archive = pack(
      "tar",
      "-C",
      plain,
      "-cf",
      join(scratch, `${format}.tar`),
      `--format=${format}`,
      ".",
    );
    await expectSame(await tarArchive(archive), plain, "none");
  });

  it.each(["pax", "gnutar"])("bsdtar, %s", async (format) => {
    const from = format === "pax" ? root : whole;
    const archive = pack(
      "bsdtar",
      "-C",
      from,
      "-cf",
      join(scratch, `bsd-${format}.tar`),
      `--format=${format}`,
      "--xattrs",
      "--acls",
      ".",
    );
    const tree = await tarArchive(archive, format === "pax" ? {} : { holes: "detect" });
    await expectSame(tree, from, format === "pax" ? "portable" : "none");
  });

  it.each(["GNU_FORMAT", "PAX_FORMAT"])("Python, %s", async (format) => {
    const archive = join(scratch, `${format}.tar`);
    const from = format === "PAX_FORMAT" ? root : whole;
    const script =
      "import sys, tarfile\n" +
      "t = tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[3]))\n" +
      "t.add(sys.argv[2], arcname='.')\nt.close()";
    const packed = run("python3", ["-c", script, archive, from, format]);
    expect(packed.status, packed.output).toBe(0);
    const expected = await treeSnapshot(await directory(from, { xattrs: "none" }));
    const found = await treeSnapshot(await tarArchive(archive, { holes: "detect", xattrs: "none" }));
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [path, entry] of expected) {
      const { mtime, ...rest } = entry as { mtime?: bigint };
      const { mtime: foundTime, ...foundRest } = found.get(path) as { mtime?: bigint };
      expect({ path, ...foundRest }).toEqual({ path, ...rest });
      // Python keeps times as floating point numbers.
      const off = Number((foundTime ?? 0n) - (mtime ?? 0n));
      expect(Math.abs(off), path).toBeLessThan(1000);
    }
  });

  it.each([
    ["gzip", ["-z"]],
    ["xz", ["-J"]],
    ["zstd", ["--zstd"]],
  ])("compressed by %s", async (name, options) => {
    const archive = pack(
      "tar",
      "-C",
      root,
      "-cf",
      join(scratch, `${name}.bin`),
      "--format=posix",
      "-S",
      ...XATTRS,
      ...options,
      ".",
    );
    await expectSame(await tarArchive(archive, { spoolDirectory: scratch }), root, "portable");
    expect(readdirSync(scratch).filter((file) => file.endsWith(".spool"))).toEqual([]);
  });

  it("as a container's export has it: no root, names without a prefix, attributes as they are", async () => {
    const entries: WriterEntry[] = [];
    const reader = new FileReader();
    const exported = await directory(root, { xattrs: "all" });
    for (const entry of exported.entries()) {
      const path = (entry.path as Uint8Array).subarray(1);
      if (path.length === 0) continue;
      const content = entry.content && (await contentBytes(entry.content as never, reader));
      entries.push({ ...entry, path, content, data: undefined } as unknown as WriterEntry);
    }
    reader.close();
    const archive = join(scratch, "export.tar");
    writeFileSync(archive, paxArchive(entries));
    const found = await treeSnapshot(await tarArchive(archive, { holes: "detect", xattrs: "all" }));
    const expected = await treeSnapshot(exported);
    expect([...found.keys()]).toEqual([...expected.keys()]);
    expected.delete("/");
    for (const [path, entry] of expected) expect([path, found.get(path)]).toEqual([path, entry]);
  });

  it("out of an open file, which is not copied", async () => {
    const archive = pack(
      "tar",
      "-C",
      root,
      "-cf",
      join(scratch, "open.tar"),
      "--format=posix",
      "-S",
      ...XATTRS,
      ".",
    );
    const descriptor = openSync(archive, "r");
    await expectSame(
      await tarArchive({ descriptor, name: "x" }, { spoolDirectory: "/nowhere" }),
      root,
      "portable",
    );
  });

  it("leaves out what is excluded, and keeps what a hard link still names", async () => {
    const archive = pack("tar", "-C", root, "-cf", join(scratch, "excluded.tar"), "--format=posix", ".");
    const tree = await tarArchive(archive, { exclude: (path) => path === "/linked" || path === "/a" });
    const snapshot = await treeSnapshot(tree);
    expect(snapshot.has("/a")).toBe(false);
    expect(snapshot.has("/linked")).toBe(false);
    expect(snapshot.get("/links/again")).toBeDefined();
  });
});

it.runIf(IS_ROOT)("a truncated archive is told as such", async () => {
  const whole = run("tar", ["-C", root, "-cf", "-", "--format=posix", "many"]).status;
  expect(whole).toBe(0);
  const archive = pack("tar", "-C", root, "-cf", join(scratch, "cut.tar"), "--format=posix", ".");
  const bytes = await new Promise<Buffer>((resolve) => {
    const parts: Buffer[] = [];
    createReadStream(archive, { end: 1_000_100 })
      .on("data", (part) => parts.push(part as Buffer))
      .on("end", () => resolve(Buffer.concat(parts)));
  });
  writeFileSync(archive, bytes);
  await expect(tarArchive(archive)).rejects.toThrow(
    /cut\.tar: the archive ends at byte \d+ in the middle of/,
  );
});

describeWith(["zstd"], "zstd", () => {
  const blocks = Array.from({ length: 400 }, (_, index) => Buffer.alloc(1000, `block ${index} `));
  const noise = Buffer.from(
    Array.from({ length: 300_000 }, (_, index) => (index * index * 31 + (index >> 3)) & 0xff),
  );
  const plain = Buffer.concat([...blocks, noise, Buffer.alloc(500_000)]);

  function packed(bytes: Buffer, ...options: string[]): Buffer {
    const result = spawnSync("zstd", ["-q", "-c", ...options], { input: bytes, maxBuffer: 1 << 26 });
    expect(result.status).toBe(0);
    return result.stdout;
  }

  async function unpacked(bytes: Buffer, unpacker?: Parameters<typeof unpackZstd>[1]): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const part of unpackZstd(Readable.from([bytes]), unpacker)) parts.push(Uint8Array.from(part));
    return Buffer.concat(parts);
  }

  const skippable = Buffer.from("502a4d1803000000aabbcc", "hex");
  const frames = Buffer.concat([
    skippable,
    packed(plain.subarray(0, 123_456)),
    packed(Buffer.alloc(0)),
    packed(plain.subarray(123_456, 123_457), "--no-check"),
    skippable,
    packed(plain.subarray(123_457), "-19"),
  ]);

  it.each([["-1"], ["-19"], ["--long=27"], ["--no-check"], ["--rsyncable"], ["-T2"]])(
    "of %s is unpacked",
    async (option) => expect((await unpacked(packed(plain, option))).equals(plain)).toBe(true),
  );

  it("of several frames is unpacked", async () => expect((await unpacked(frames)).equals(plain)).toBe(true));

  it("is told apart into frames for a program that unpacks one", async () => {
    let count = 0;
    const program = (pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> => {
      count++;
      const child = spawn("zstd", ["-q", "-d", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
      const duplex = Duplex.from({ readable: child.stdout, writable: child.stdin });
      void pipeline(Readable.from(pieces), duplex, { end: true }).catch(() => {});
      return child.stdout;
    };
    expect((await unpacked(frames, program)).equals(plain)).toBe(true);
    expect(count).toBe(4);
  });

  it("whose bytes changed is an error, wherever its checksum covers them", async () => {
    const whole = packed(plain);
    for (let at = 6; at < whole.length; at += Math.ceil(whole.length / 97)) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      await expect(unpacked(damaged), `byte ${at}`).rejects.toThrow();
    }
  });

  it("that is cut off is an error", async () => {
    const whole = packed(plain);
    for (const end of [1, 5, 9, 1000, whole.length - 4, whole.length - 1]) {
      await expect(unpacked(whole.subarray(0, end)), `${end} bytes`).rejects.toThrow(/unexpected end/);
    }
  });
});

describeWith(["tar", "xz"], "xz", () => {
  it("of several streams and blocks is unpacked; what is not read of it is told", async () => {
    const plain = join(scratch, "for-xz.tar");
    run("tar", ["-C", root, "-cf", plain, "--format=posix", "many"]);
    const bytes = readFileSync(plain);
    const packed = (input: Buffer, ...options: string[]): Buffer =>
      spawnSync("xz", ["-c", ...options], { input, maxBuffer: 1 << 26 }).stdout;
    const archive = join(scratch, "streams.tar.xz");
    const two = [packed(bytes.subarray(0, 99_999), "--block-size=4096"), packed(bytes.subarray(99_999))];
    writeFileSync(archive, Buffer.concat(two));
    const expected = await treeSnapshot(await tarArchive(plain));
    expect(await treeSnapshot(await tarArchive(archive))).toEqual(expected);
    writeFileSync(archive, packed(bytes, "--check=sha256"));
    await expect(tarArchive(archive)).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      message: expect.stringMatching(/unpack it first \(xz -dc\)/),
    });
  });
});
