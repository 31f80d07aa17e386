import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { FORMAT_NAMES, type FormatName } from "../../src/formats/index.ts";
import type { ImageReport } from "../../src/inspect/index.ts";
import { diskwright, MAIN } from "../support/cli.ts";
import { expectQemuClean, expectQemuEqual, expectSevenZip } from "../support/containers.ts";
import { makeHostTree } from "../support/host-tree.ts";
import { expectCleanGpt } from "../support/judges.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const options = ["--additional-space", "4M", "--boot-size", "40M", "--xattrs", "none"];
const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
const at = (name: string): string => join(scratch, name);

/** All but the one that makes any disk a gibibyte large. */
const FORMATS = FORMAT_NAMES.filter((format) => format !== "gce");
/** The end of a name by which 7-Zip knows what to expect. */
const SUFFIX: Partial<Record<FormatName, string>> = {
  "vpc-fixed": "vhd",
  azure: "vhd",
  "raw-zstd": "img.zst",
};
const QEMU: Partial<Record<FormatName, string>> = {
  qcow2: "qcow2",
  "qcow2-compressed": "qcow2",
  "qcow2-zstd": "qcow2",
  vdi: "vdi",
  "vdi-static": "vdi",
  vpc: "vpc",
  "vpc-fixed": "vpc",
  azure: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
  "vmdk-stream": "vmdk",
};

const image = (format: FormatName): string => at(`all.${format}.${SUFFIX[format] ?? format}`);

function done(args: readonly string[]): void {
  const { status, stderr } = diskwright(args);
  expect(stderr).not.toMatch(/error/);
  expect(status).toBe(0);
}

/** Standard output of a run, as bytes. */
function piped(args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 30 });
  expect(stderr.toString()).toBe("");
  expect(status).toBe(0);
  return stdout;
}

beforeAll(async () => {
  await makeHostTree(tree);
  done([
    "build",
    "--root",
    tree,
    ...options,
    ...FORMATS.flatMap((format) => ["-o", `${format}:${image(format)}`]),
  ]);
}, 60_000);

describeWith(["qemu-img", "7zz", "sgdisk", "parted"], "an image in every format, out of one pass", () => {
  it.each(FORMATS.filter((format) => QEMU[format] !== undefined))("%s: is the disk to qemu", (format) => {
    expectQemuEqual(image("raw"), image(format), QEMU[format]!);
    // qemu checks no vpc.
    if (QEMU[format] !== "vpc") expectQemuClean(image(format), QEMU[format]!);
  });

  // 7-Zip reads no zstd in qcow2, and a block map is no archive.
  it.each(FORMATS.filter((format) => !["raw", "bmap", "qcow2-zstd"].includes(format)))(
    "%s: is sound to 7-Zip",
    (format) => expectSevenZip(image(format)),
  );

  it.each(FORMATS.filter((format) => format !== "bmap"))(
    "%s: comes back as it was, its GPT at both ends",
    (format) => {
      const back = at("back.img");
      done(["convert", image(format), back]);
      expect(sha256(back)).toBe(sha256(image("raw")));
      expectCleanGpt(back);
      const report = JSON.parse(diskwright(["inspect", image(format), "--json"]).stdout) as ImageReport;
      expect(report.virtualSize).toBe(statSync(image("raw")).size);
      expect(report.container?.problems ?? []).toEqual([]);
      expect(report.table.type).toBe("gpt");
    },
  );
});

describe("the bytes of an image", () => {
  it.each(FORMATS)(
    "%s: are the same alone, elsewhere, with any number of threads, and in a pipe",
    (format) => {
      const expected = sha256(image(format));
      mkdirSync(at("elsewhere"), { recursive: true });
      for (const workers of ["1", "2", "4"]) {
        const output = at(`elsewhere/${workers}`);
        done(["build", "--root", tree, ...options, "-o", `${format}:${output}`, "--workers", workers]);
        expect(sha256(output)).toBe(expected);
      }
      const bytes = piped(["build", "--root", tree, ...options, "-q", "-o", `${format}:-`]);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(expected);
    },
  );

  it.each(FORMATS)("%s: are the same from convert into a file and a pipe", (format) => {
    done(["convert", image("raw"), `${format}:${at("converted")}`]);
    const bytes = piped(["convert", image("qcow2"), "-q", "-o", `${format}:-`]);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256(at("converted")));
  });

  it("depend on no version of Node when they are to be portable", () => {
    for (const workers of ["1", "2"]) {
      const output = at(`portable.${workers}`);
      done(["convert", image("raw"), `qcow2-compressed:${output}`, "--portable", "--workers", workers]);
      // Of pako 3; it changes with the package, and with nothing else.
      expect(statSync(output).size).toBe(statSync(image("qcow2-compressed")).size);
    }
    expect(sha256(at("portable.1"))).toBe(sha256(at("portable.2")));
    done(["convert", at("portable.1"), at("portable.img")]);
    expect(sha256(at("portable.img"))).toBe(sha256(image("raw")));
  });
});

describeWith(["bmaptool", "simg2img", "tar", "gzip"], "what other tools make of them", () => {
  it("bmaptool copies by the block map", () => {
    const { output, status } = run("bmaptool", [
      "copy",
      "--bmap",
      image("bmap"),
      image("raw"),
      at("copied.img"),
    ]);
    expect(output).not.toMatch(/error/i);
    expect(status).toBe(0);
    expect(sha256(at("copied.img"))).toBe(sha256(image("raw")));
  });

  it("bmaptool notices a change", () => {
    const changed = readFileSync(image("raw"));
    changed[512]! ^= 1;
    writeFileSync(at("changed.img"), changed);
    const { output, status } = run("bmaptool", [
      "copy",
      "--bmap",
      image("bmap"),
      at("changed.img"),
      at("copied.img"),
    ]);
    expect(output).toMatch(/checksum mismatch/);
    expect(status).not.toBe(0);
  });

  it("simg2img unpacks an Android sparse image", () => {
    expect(run("simg2img", [image("android-sparse"), at("unsparsed.img")]).status).toBe(0);
    expect(sha256(at("unsparsed.img"))).toBe(sha256(image("raw")));
  });

  it("tar finds the disk that Google's cloud asks for, of whole gibibytes", () => {
    done(["build", "--root", tree, ...options, "--time", "1700000000", "-o", at("disk.tar.gz")]);
    const list = run("tar", ["--full-time", "-tvzf", at("disk.tar.gz")]);
    expect(list.stderr).toBe("");
    expect(list.stdout.trim()).toMatch(/^-rw-r--r-- 0\/0 +1073741824 2023-11-14 22:13:20 disk\.raw$/);
    expect(readFileSync(at("disk.tar.gz")).subarray(0, 3)).toEqual(Buffer.of(0x1f, 0x8b, 8));
    done(["convert", at("disk.tar.gz"), at("disk.qcow2")]);
    expect(JSON.parse(diskwright(["inspect", at("disk.qcow2"), "--json"]).stdout)).toMatchObject({
      virtualSize: 2 ** 30,
      table: { type: "gpt", problems: [] },
    });
  });
});

describe("packers", () => {
  it("can be asked for at the moment when the last one ends, and end with the process", () => {
    const script = `
import { packers } from ${JSON.stringify(join(import.meta.dirname, "../../dist/node/index.js"))};
const packing = { type: "deflate", windowBits: 12, level: 6 };
const factory = packers({ workers: 2 });
let packer = await factory(packing);
for (let round = 0; round < 8; round++) {
  const closing = round === 0 ? packer.close() : undefined;
  const next = factory(packing);
  for (let step = 1; step < round; step++) await undefined;
  await Promise.all([closing, packer.close()]);
  packer = await next;
  const { packed, release } = await packer.pack(new Uint8Array(4096), 4096);
  if (packed[0].length > 100) throw new Error("not packed");
  release();
}
await packer.close();
console.log("done");
`;
    writeFileSync(at("packers.mjs"), script);
    expect(run(process.execPath, [at("packers.mjs")]).output).toBe("done\n");
  });
});

describe("the memory of packers", () => {
  it("is given back as they work, also when two of them take turns", () => {
    const script = `
import { packers } from ${JSON.stringify(join(import.meta.dirname, "../../dist/node/index.js"))};
const factory = packers({ workers: 4 });
const ways = [
  { packer: await factory({ type: "deflate", windowBits: 12, level: 1 }), unitSize: 65536 },
  { packer: await factory({ type: "deflate-part", level: 1 }), unitSize: 524288 },
];
// Every other byte is noise: half of it remains.
let state = 1;
const bytes = Uint8Array.from({ length: 524288 }, (_, index) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return index % 2 === 0 ? state >>> 24 : 0;
});
for (let round = 0; round < 100; round++) {
  const packed = await Promise.all(
    [...ways, ...ways].map(({ packer, unitSize }) => packer.pack(bytes, unitSize)),
  );
  for (const { release } of packed) release();
}
console.log(Math.round(process.resourceUsage().maxRSS / 1024));
for (const { packer } of ways) await packer.close();
`;
    writeFileSync(at("memory.mjs"), script);
    // In MiB. Where garbage waits for V8 to look for it, each of the four threads takes some 30 more.
    const { output } = run(process.execPath, [at("memory.mjs")]);
    expect(Number(output)).toBeGreaterThan(40);
    expect(Number(output)).toBeLessThan(170);
  });
});

describe("outputs", () => {
  it("are chosen by the ends of their names", () => {
    const output = at("named.vhdx");
    done(["convert", image("raw"), output]);
    expect(JSON.parse(diskwright(["inspect", output, "--json"]).stdout)).toMatchObject({ format: "vhdx" });
  });

  it("are all there or none is", () => {
    const [first, second] = [at("first.qcow2"), at("second.vhd")];
    const result = diskwright(["convert", image("raw"), first, `gce:${second}`]);
    expect(result.stderr).toMatch(/multiples of 1 GiB/);
    expect(result.status).toBe(2);
    const missing = diskwright(["convert", image("raw"), first, at("nowhere/x.vhd")]);
    expect(missing.stderr).toMatch(/there is no directory .*nowhere: make it first/);
    expect([first, second].filter(existsSync)).toEqual([]);
    expect(readdirSync(scratch).filter((name) => name.includes(".partial"))).toEqual([]);
  });

  it("replace an older file only when they are complete", () => {
    const output = at("old.qcow2");
    writeFileSync(output, "old");
    const cut = at("cut.qcow2");
    writeFileSync(cut, readFileSync(image("qcow2")).subarray(0, 400_000));
    const result = diskwright(["convert", cut, output]);
    expect(result.stderr).toMatch(/cut\.qcow2: the qcow2 file places .* damaged or cut off/);
    expect(result.status).toBe(1);
    expect(readFileSync(output, "utf8")).toBe("old");
  });

  it("may be the input", () => {
    const path = at("itself");
    writeFileSync(path, readFileSync(image("raw")));
    done(["convert", path, `qcow2:${path}`]);
    done(["convert", path, `raw:${path}`]);
    expect(sha256(path)).toBe(sha256(image("raw")));
  });

  it.each([
    [["a.img", "-o", "a.img"], "named twice"],
    [["a.xz"], "the name says xz"],
    [["a.img", "--format", "nrg"], 'format "nrg" cannot be written'],
    [["qcow2:a", "--cluster-size", "3K"], "a power of two"],
    [["QCOW2:a"], 'there is no format "QCOW2"'],
    [["foo:a"], "write ./foo:a"],
    [["qcow2-compressed:a", "--compression-level", "10"], "levels are 0 to 9: not 10"],
    [["qcow2-zstd:a", "raw-gzip:b", "--compression-level", "12"], "raw-gzip is compressed by deflate"],
    [["raw-zstd:a", "--compression-level", "0"], "levels are 1 to 22: not 0"],
    [["a.img", "--workers", "0"], "Use a number from 1"],
    [["a.img", "--compression-level", "30"], "Use a number from 0 to 22"],
  ])("%j are refused", (outputs, message) => {
    const { status, stderr } = diskwright(["convert", image("raw"), ...outputs]);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  it("that know nothing of an option that is given are told, unless another one does", () => {
    const asked = ["--compression-level", "1", "--cluster-size", "4K"];
    const convert = (...outputs: string[]): string =>
      diskwright([
        "convert",
        image("raw"),
        ...asked,
        "-q",
        ...outputs.map((output) => `${output}:${at(output)}`),
      ]).stderr;
    expect(convert("vdi", "raw")).toBe(
      "warning: --compression-level is of no use: nothing is compressed in vdi, raw\n" +
        "warning: --cluster-size is of no use: it is of qcow2, not of vdi, raw\n",
    );
    expect(convert("vdi", "qcow2")).toMatch(/^warning: --compression-level .* vdi, qcow2\n$/);
    expect(convert("vdi", "raw-gzip")).toMatch(/^warning: --cluster-size .* not of vdi, raw-gzip\n$/);
    expect(convert("vdi", "qcow2-compressed")).toBe("");
  });

  it("are not the same file by way of links", () => {
    mkdirSync(at("real"));
    symlinkSync("real", at("alias"));
    symlinkSync("real/disk", at("link"));
    for (const other of ["alias/disk", "link"]) {
      const { status, stderr } = diskwright(["convert", image("raw"), at("real/disk"), `qcow2:${at(other)}`]);
      expect(stderr).toContain("named twice");
      expect(status).toBe(2);
    }
    expect(readdirSync(at("real"))).toEqual([]);
  });

  it("are there though nobody reads what is said of them", () => {
    const output = at("unread.qcow2");
    const script = `exec 2> >(exec 0<&-); sleep 0.2; exec "$0" "$1" convert "$2" "$3"`;
    const { status } = spawnSync("bash", ["-c", script, process.execPath, MAIN, image("raw"), output]);
    expect(status).toBe(0);
    expect(existsSync(output)).toBe(true);
  });

  it.runIf(existsSync("/dev/full")).each([["--version"], ["convert", "--help"], ["inspect", image("raw")]])(
    "of text fail when they do not arrive: %s %s",
    (...args) => {
      const script = `"$0" "$@" > /dev/full`;
      const { status, stderr } = spawnSync("sh", ["-c", script, process.execPath, MAIN, ...args], {
        encoding: "utf8",
      });
      expect(stderr).toMatch(/^error: standard output: no space left/);
      expect(status).toBe(1);
    },
  );

  it("need a directory that is there", () => {
    const { status, stderr } = diskwright(["convert", image("raw"), at("nowhere/disk.img")]);
    expect(stderr).toMatch(/nowhere\/disk\.img: there is no directory .*nowhere: make it first/);
    expect(status).toBe(1);
  });

  it("are refused for a disk that is no whole number of sectors", () => {
    writeFileSync(at("odd.img"), "odd");
    const { status, stderr } = diskwright(["convert", at("odd.img"), at("odd.vdi")]);
    expect(stderr).toMatch(/a disk of 3 bytes cannot be vdi: it counts in sectors of 512 bytes/);
    expect(status).toBe(2);
  });
});

describe("an image", () => {
  it("packed by zstd or gzip is refused when a byte of it was changed", () => {
    for (const [format, suffix] of [
      ["raw-zstd", "zst"],
      ["raw-gzip", "gz"],
    ]) {
      const packed = at(`changed.img.${suffix}`);
      done(["convert", image("raw"), `${format}:${packed}`]);
      const bytes = readFileSync(packed);
      // Among what is stored as it is, where every byte is content.
      bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
      writeFileSync(packed, bytes);
      const { status, stderr } = diskwright(["convert", packed, at("changed.img")]);
      expect(stderr).toMatch(/changed\.img\.(zst|gz): the (zstd|gzip) data is damaged/);
      expect(status).toBe(1);
    }
  });

  it.each([
    ["QED\0", /a QED image, which is not read/],
    ["WithoutFreeSpace", /a Parallels image, which is not read/],
    ["PK\x03\x04", /a zip, which is not read/],
  ])("that starts with %j is no raw disk", (magic, message) => {
    const foreign = at("foreign");
    writeFileSync(foreign, Buffer.concat([Buffer.from(magic, "latin1"), Buffer.alloc(4096)]));
    const { status, stderr } = diskwright(["convert", foreign, at("foreign.img")]);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
    done(["convert", "--from", "raw", foreign, at("foreign.img")]);
    expect(sha256(at("foreign.img"))).toBe(sha256(foreign));
  });

  it("is what its bytes say, with a warning where its name says something else", () => {
    const vhd = at("named.vhd");
    writeFileSync(vhd, Buffer.alloc(4096, 1));
    expect(diskwright(["convert", vhd, at("named.img")]).stderr).toMatch(
      /its name says vpc, but it is none: it is taken as a raw disk/,
    );
    const encrypted = at("encrypted.img");
    writeFileSync(encrypted, Buffer.concat([Buffer.from("LUKS\xba\xbe", "latin1"), Buffer.alloc(4090)]));
    expect(diskwright(["convert", encrypted, at("still-encrypted.img")]).stderr).toMatch(
      /encrypted as a whole \(LUKS\)/,
    );
    expect(sha256(at("still-encrypted.img"))).toBe(sha256(encrypted));
    const packed = at("packed.vhd");
    writeFileSync(packed, gzipSync(readFileSync(encrypted)));
    const { stderr } = diskwright(["convert", packed, at("still-encrypted.img")]);
    expect(stderr).toMatch(/its name says vpc, but it is none/);
    expect(stderr).toMatch(/encrypted as a whole \(LUKS\)/);
  });

  it("that is packed as a whole can be kept elsewhere meanwhile, and is no image to QEMU", () => {
    const packed = at("whole.img.gz");
    writeFileSync(packed, gzipSync(readFileSync(image("raw"))));
    for (const command of [
      ["inspect", packed],
      ["convert", packed, at("whole.img")],
    ]) {
      const { status, stderr } = diskwright([...command, "--spool", at("nowhere")]);
      expect(stderr).toMatch(/nowhere: what .*whole\.img\.gz holds is kept there: no such file or directory/);
      expect(status).toBe(1);
    }
    expect(diskwright(["inspect", packed]).stdout).toMatch(/^raw image/);
    expect(diskwright(["run", packed, "--dry-run"]).stderr).toMatch(/QEMU cannot start .* packed by gzip/);
    writeFileSync(at("disk.raw"), readFileSync(image("raw")));
    run("tar", ["-C", scratch, "-cf", at("whole.tar"), "disk.raw"]);
    for (const [path, message] of [
      [packed, /whole\.img\.gz is packed by gzip: name the image that is written with -o/],
      [at("whole.tar"), /whole\.tar is in a tar: name the image that is written with -o/],
    ] as const) {
      const before = sha256(path);
      const { status, stderr } = diskwright(["vm", path, "--script", path]);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
      expect(sha256(path)).toBe(before);
    }
  });

  it("stops when that is asked for while it is unpacked", async () => {
    const packed = at("zeros.gz");
    writeFileSync(packed, gzipSync(Buffer.alloc(256 * 2 ** 20), { level: 1 }));
    // Members of gzip may follow each other.
    writeFileSync(packed, Buffer.concat(Array.from({ length: 32 }, () => readFileSync(packed))));
    const child = spawn(process.execPath, [MAIN, "inspect", packed], { stdio: "ignore" });
    await setTimeout(1000);
    child.kill("SIGINT");
    const [, killer] = await once(child, "exit");
    expect(killer).toBe("SIGINT");
    expect(readdirSync(scratch).filter((name) => name.endsWith(".spool"))).toEqual([]);
  });

  it("leaves no file open, be it read or not", () => {
    writeFileSync(at("packed.bz2"), "BZh91AY&SY");
    const script = `
import { readdirSync } from "node:fs";
import { openImage } from ${JSON.stringify(join(import.meta.dirname, "../../dist/node/index.js"))};
const [refused, archive, empty] = process.argv.slice(2);
const codes = new Set();
async function round() {
  for (const path of [refused, empty]) await openImage(path).catch((error) => codes.add(error.code));
  const { disk, close } = await openImage(archive);
  await disk.read(0, 512);
  close();
  close();
}
await round();
const before = readdirSync("/dev/fd").length;
for (let count = 0; count < 5; count++) await round();
console.log(readdirSync("/dev/fd").length - before, ...codes);
`;
    writeFileSync(at("rounds.mjs"), script);
    writeFileSync(at("disk.raw"), readFileSync(image("raw")));
    run("tar", ["-C", scratch, "-czf", at("archived.tar.gz"), "disk.raw"]);
    run("tar", ["-C", scratch, "-czf", at("empty.tar.gz"), "packed.bz2"]);
    const paths = ["packed.bz2", "archived.tar.gz", "empty.tar.gz"].map(at);
    expect(run(process.execPath, [at("rounds.mjs"), ...paths]).output).toBe(
      "0 SOURCE_UNREADABLE UNSUPPORTED_IMAGE\n",
    );
  });

  it.each([
    [
      "a symlink",
      (directory: string) => symlinkSync("/etc/passwd", join(directory, "disk.raw")),
      "is a symlink",
    ],
    ["a directory", (directory: string) => mkdirSync(join(directory, "disk.raw")), "is a directory"],
    ["a fifo", (directory: string) => void run("mkfifo", [join(directory, "disk.raw")]), "is a fifo"],
    ["missing", (directory: string) => writeFileSync(join(directory, "other"), ""), "holds no disk.raw"],
  ])("is refused in a tar whose disk.raw is %s, before there is an output", (what, make, message) => {
    const directory = at(`tar-${what}`);
    mkdirSync(directory);
    make(directory);
    const archive = at(`${what}.tar.gz`);
    run("tar", ["-C", directory, "-czf", archive, "."]);
    const output = at(`${what}.img`);
    const { stderr, status } = diskwright(["convert", archive, output]);
    expect(stderr).toContain(message);
    expect(stderr).toContain("--from raw");
    expect(status).toBe(1);
    expect(existsSync(output)).toBe(false);
    // What the message says works.
    done(["convert", "--from", "raw", archive, output]);
    expect(sha256(output)).toBe(sha256(archive));
  });

  it("is not replaced by vm where it is a difference to another disk", () => {
    const [below, above] = [at("below.qcow2"), at("above.qcow2")];
    done(["convert", image("raw"), below]);
    run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", above]);
    const script = ["vm", above, "--script", above, "--dry-run"];
    expect(diskwright(script).stderr).toContain("not opened unless it is allowed (--backing)");
    expect(diskwright([...script, "--backing"]).stderr).toContain(
      "is a difference to another disk: name the image that is written with -o",
    );
    expect(diskwright(["run", above, "--dry-run"]).stderr).toContain("--backing");
  });

  it("may lie in a tar as it is", () => {
    writeFileSync(at("disk.raw"), readFileSync(image("raw")));
    run("tar", ["-C", scratch, "-cf", at("plain.tar"), "disk.raw"]);
    done(["convert", at("plain.tar"), at("untarred.img")]);
    expect(sha256(at("untarred.img"))).toBe(sha256(image("raw")));
  });
});

/** A qcow2 without the header's extension that says what format the disk below has; older programs wrote none. */
function undeclared(path: string): Buffer {
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(0x12345678, bytes.indexOf("e2792aca", 0, "hex"));
  return bytes;
}

describeWith(["qemu-img"], "an image", () => {
  it("is not what its first bytes say when that is asked for", () => {
    const guest = at("guest.img");
    writeFileSync(guest, readFileSync(image("qcow2")));
    done(["convert", "--from", "raw", guest, at("guest.raw")]);
    expect(sha256(at("guest.raw"))).toBe(sha256(guest));
    const { stderr } = diskwright(["convert", "--from", "vdi", guest, at("guest.raw")]);
    expect(stderr).toMatch(/guest\.img: the file is no vdi/);
  });

  it("is a difference only where that is allowed, and in no circle", () => {
    const base = at("base.qcow2");
    done(["convert", image("raw"), base]);
    run("qemu-img", ["create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", at("over.qcow2")]);
    expect(diskwright(["convert", at("over.qcow2"), at("flat.img")]).stderr).toMatch(
      /over\.qcow2: .*--backing/,
    );
    done(["convert", "--backing", at("over.qcow2"), at("flat.img")]);
    expect(sha256(at("flat.img"))).toBe(sha256(image("raw")));
    run("gzip", ["-k", at("over.qcow2")]);
    done(["convert", "--backing", at("over.qcow2.gz"), at("flat.img")]);
    expect(sha256(at("flat.img"))).toBe(sha256(image("raw")));
    run("gzip", ["-k", base]);
    const over = (below: string, format: string, path: string): void => {
      run("qemu-img", ["create", "-f", "qcow2", "-u", "-b", below, "-F", format, path, "1M"]);
    };
    over("base.qcow2.gz", "raw", at("over-packed.qcow2"));
    writeFileSync(at("over-packed.qcow2"), undeclared(at("over-packed.qcow2")));
    done(["convert", "--backing", "--spool", scratch, at("over-packed.qcow2"), at("flat.img")]);
    expect(
      diskwright([
        ...["convert", "--backing", "--spool", at("nowhere")],
        ...[at("over-packed.qcow2"), at("flat2.img")],
      ]).stderr,
    ).toMatch(/nowhere: what .*base\.qcow2\.gz holds is kept there/);
    writeFileSync(at("disk.raw"), Buffer.alloc(2 ** 20));
    over("disk.raw", "qcow2", at("over-raw.qcow2"));
    expect(diskwright(["convert", "--backing", at("over-raw.qcow2"), at("flat2.img")]).stderr).toMatch(
      /^error: [^ ]*disk\.raw: the file is no qcow2/,
    );
    writeFileSync(at("named.vhd"), Buffer.alloc(2 ** 20, 1));
    over("named.vhd", "raw", at("over-vhd.qcow2"));
    writeFileSync(at("over-vhd.qcow2"), undeclared(at("over-vhd.qcow2")));
    expect(diskwright(["convert", "--backing", at("over-vhd.qcow2"), at("flat2.img")]).stderr).toMatch(
      /^warning: [^ ]*named\.vhd: its name says vpc/,
    );
    run("qemu-img", ["rebase", "-u", "-b", "over.qcow2", "-F", "qcow2", at("over.qcow2")]);
    expect(diskwright(["convert", "--backing", at("over.qcow2"), at("flat2.img")]).stderr).toMatch(/circle/);
  });

  it("below another one is what that says, and not what a guest made it look like", () => {
    const [secret, guest, evil] = ["secret", "guest.raw", "evil.qcow2"].map(at) as [string, string, string];
    writeFileSync(secret, Buffer.alloc(65_536, "secret"));
    writeFileSync(guest, Buffer.alloc(2 ** 20));
    run("qemu-img", ["create", "-f", "qcow2", "-b", guest, "-F", "raw", at("safe.qcow2")]);
    writeFileSync(at("unsaid.qcow2"), undeclared(at("safe.qcow2")));
    run("qemu-img", ["create", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", evil, "1M"]);
    const written = Buffer.alloc(2 ** 20);
    readFileSync(evil).copy(written);
    writeFileSync(guest, written);
    done(["convert", "--backing", at("safe.qcow2"), at("safe.img")]);
    expect(sha256(at("safe.img"))).toBe(sha256(guest));
    expect(diskwright(["convert", "--backing", at("unsaid.qcow2"), at("unsaid.img")]).stderr).toMatch(
      /guest\.raw is below another disk, which does not say its format/,
    );
  });
});

describe.skipIf(statfsSync(scratch).type !== 0xef53)("the room of a large image on ext4", () => {
  const MIB = 2 ** 20;
  const large = at("large.img");

  /** A directory with a program `fallocate`. */
  function programs(name: string, script: string): NodeJS.ProcessEnv {
    const directory = at(name);
    mkdirSync(directory);
    writeFileSync(join(directory, "fallocate"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { PATH: `${directory}:${process.env.PATH}` };
  }

  function convert(output: string, environment?: NodeJS.ProcessEnv): void {
    expect(diskwright(["convert", "-q", large, at(output)], environment)).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  }

  beforeAll(() => {
    const descriptor = openSync(large, "w");
    for (let at = 0; at < 160; at += 32) writeSync(descriptor, Buffer.alloc(32 * MIB, at + 1));
    writeSync(descriptor, Buffer.alloc(32 * MIB));
    closeSync(descriptor);
  });

  it("is set aside, and given back where it is not needed", () => {
    const log = at("fallocate.log");
    const path = process.env.PATH;
    convert("set-aside.qcow2", programs("set", `echo "$@" >> ${log}; PATH=${path} exec fallocate "$@"`));
    expect(readFileSync(log, "utf8")).toMatch(
      /^--keep-size --offset 0 --length \d+ -- \/.*\/\.set-aside\.qcow2\.[\w-]+\.partial\n$/,
    );
    expect(Number(/length (\d+)/.exec(readFileSync(log, "utf8"))![1])).toBe(192 * MIB);
    const { size, blocks } = statSync(at("set-aside.qcow2"));
    expect(size).toBeLessThan(161 * MIB);
    expect(blocks * 512).toBeLessThanOrEqual(size + 65_536);
  });

  it("changes no byte, be there no such program, or one that fails or does not end", () => {
    convert("none.qcow2", { PATH: at("nowhere") });
    convert("fails.qcow2", programs("fails", "exit 1"));
    convert("hangs.qcow2", programs("hangs", "exec sleep 1000"));
    convert("again.qcow2");
    const names = ["none", "fails", "hangs", "again"];
    expect(new Set(names.map((name) => sha256(at(`${name}.qcow2`)))).size).toBe(1);
  });
});

describe("a sparse image", () => {
  it("of 100 GiB with little in it takes little room and time, from file to file", () => {
    const sparse = at("sparse.img");
    const descriptor = openSync(sparse, "w");
    ftruncateSync(descriptor, 100 * 2 ** 30);
    for (const position of [0, 50 * 2 ** 30 + 4096, 100 * 2 ** 30 - 512]) {
      writeSync(descriptor, Buffer.alloc(512, 7), 0, 512, position);
    }
    closeSync(descriptor);
    done(["convert", sparse, at("sparse.qcow2")]);
    expect(statSync(at("sparse.qcow2")).size).toBeLessThan(2 ** 20);
    done(["convert", at("sparse.qcow2"), at("sparse.back")]);
    expect(statSync(at("sparse.back")).size).toBe(100 * 2 ** 30);
    expect(statSync(at("sparse.back")).blocks * 512).toBeLessThan(2 ** 20);
    done(["convert", at("sparse.back"), at("again.qcow2")]);
    expect(sha256(at("again.qcow2"))).toBe(sha256(at("sparse.qcow2")));
  });
});

describe("a disk with sectors of 4 KiB", () => {
  const sectors = ["--layout", "efi", "--boot-size", "260M", "--additional-space", "4M", "--xattrs", "none"];
  const build = (...args: string[]) =>
    diskwright(["build", "--root", tree, ...sectors, "--sector-size", "4096", "-q", ...args]);
  const details = (path: string): unknown =>
    (JSON.parse(diskwright(["inspect", path, "--json"]).stdout) as ImageReport).container!.details;
  const stated = { logicalSectorSize: 4096, physicalSectorSize: 4096 };

  it("is said to be one by a VHDX, built and converted from any other", () => {
    const [vhdx, raw, qcow2] = [at("sectors.vhdx"), at("sectors.img"), at("sectors.qcow2")];
    expect(build("-o", vhdx, "-o", raw, "-o", qcow2)).toMatchObject({ status: 0, stderr: "" });
    expect(details(vhdx)).toMatchObject(stated);
    for (const source of [raw, qcow2, vhdx]) {
      done(["convert", "--force", source, at("again.vhdx")]);
      expect(details(at("again.vhdx"))).toMatchObject(stated);
    }
    done(["convert", vhdx, at("sectors-back.img")]);
    expect(sha256(at("sectors-back.img"))).toBe(sha256(raw));
    const { stderr, status } = diskwright(["run", vhdx, "--dry-run"]);
    expect(stderr).toContain("QEMU cannot start a vhdx with sectors of 4096 bytes");
    expect(status).toBe(2);
  });

  it("is refused by what cannot say it, before anything is written, or written with a warning", () => {
    const output = at("sectors.vdi");
    writeFileSync(output, "old");
    const refused = build("-o", output);
    expect(refused.stderr).toMatch(/vdi cannot say that a sector has 4096 bytes.*--ignore-sector-size/);
    expect(refused.status).not.toBe(0);
    expect(readFileSync(output, "utf8")).toBe("old");
    const written = build("--ignore-sector-size", "-o", output);
    expect(written.stderr).toMatch(/^warning: vdi cannot say that a sector has 4096 bytes/);
    expect(written.status).toBe(0);
    const fat = ["mkfs", "fat", tree, "--xattrs", "none", "--size", "300M", "--sector-size", "4096", "-q"];
    expect(diskwright([...fat, "--skip-unsupported", "-o", at("sectors.vmdk")]).stderr).toContain(
      "vmdk cannot say",
    );
  });
});
