import { createCipheriv } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, it } from "vitest";
import { MAIN } from "../test/support/cli.ts";
import { type Contender, compare } from "./measure.ts";

// Formats: diskwright beside qemu-img, whole processes, the same disk, in turn. Half of the disk compresses
// (text, made from words), half does not (the output of a cipher). qemu-img does not wait for the disk at the end,
// and neither does diskwright for a file that is new.

const MIB = 2 ** 20;
/** Of content, half of it text. */
const SIZE = Number(process.env.BENCH_MIB ?? 1024) * MIB;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);

const place = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "diskwright-bench-"));
afterAll(() => rmSync(place, { recursive: true }));

const report = join(place, "time.txt");
const tree = join(place, "tree");
const raw = join(place, "disk.img");
const [ours, theirs] = [join(place, "ours"), join(place, "theirs")];

/** Text of words that occur as often as words do: deflate makes a third of it, as of programs and manuals. */
function text(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed + 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const words = Array.from({ length: 20_000 }, () => {
    const length = 2 + Math.floor(next() * 9);
    return Array.from({ length }, () => String.fromCharCode(97 + Math.floor(next() * next() * 26))).join("");
  });
  for (let at = 0; at < size; ) at += bytes.write(`${words[Math.floor(next() ** 3 * words.length)]} `, at);
  return bytes;
}

/** Bytes that do not compress. */
function noise(size: number, seed: number): Buffer {
  const key = Buffer.alloc(16, seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A tree of files of 8 MiB, text and noise in turn. */
function makeTree(): void {
  mkdirSync(tree);
  const part = 8 * MIB;
  for (let index = 0; index * part < SIZE; index++) {
    const descriptor = openSync(join(tree, `file ${index}`), "w");
    writeSync(descriptor, index % 2 === 0 ? text(part, index) : noise(part, index));
    closeSync(descriptor);
  }
}

const build = (...outputs: string[]): string[] => [
  process.execPath,
  MAIN,
  ...["build", "--root", tree, "--layout", "efi", "--additional-space", "16M", "--boot-size", "40M"],
  ...["--xattrs", "none", "-q", ...outputs.flatMap((output) => ["-o", output])],
];

beforeAll(() => {
  makeTree();
  const [program, ...args] = build(raw);
  compare(
    "build of the raw image",
    [{ name: "diskwright", command: [program!, ...args], before: clean }],
    1,
    report,
  );
}, 600_000);

function clean(): void {
  rmSync(ours, { force: true });
  rmSync(theirs, { force: true });
}

function convert(format: string): Contender {
  return {
    name: `diskwright convert ${format}`,
    command: [process.execPath, MAIN, "convert", raw, `${format}:${ours}`, "-q"],
    before: clean,
  };
}

function qemu(...args: string[]): Contender {
  return {
    name: `qemu-img convert ${args.join(" ")}`,
    command: ["qemu-img", "convert", "-f", "raw", ...args, raw, theirs],
    before: clean,
  };
}

function sizes(...paths: string[]): void {
  for (const path of paths) console.log(`${path.slice(place.length + 1)}: ${statSync(path).size} bytes`);
}

it("qcow2-compressed, built directly, beside qemu-img convert -c of a raw image that is there", () => {
  const direct: Contender = {
    name: "diskwright build qcow2-compressed",
    command: build(`qcow2-compressed:${ours}`),
    before: () => rmSync(ours, { force: true }),
  };
  const packed = qemu("-c", "-O", "qcow2");
  compare(
    "qcow2-compressed",
    [direct, { ...packed, before: () => rmSync(theirs, { force: true }) }],
    Math.min(3, ROUNDS),
    report,
  );
  sizes(ours, theirs);
});

it.each(["raw", "qcow2", "vdi", "vpc", "vmdk", "vhdx"])("%s", (format) => {
  compare(`convert to ${format}`, [convert(format), qemu("-O", format)], ROUNDS, report);
});

it("one pass to five formats beside five passes", () => {
  const formats = ["raw", "qcow2", "vdi", "vpc", "vmdk"];
  const outputs = formats.map((format) => `${format}:${join(place, `out.${format}`)}`);
  const script = formats.slice(1).map((format) => `qemu-img convert -O ${format} "$1" "$2.${format}"`);
  const drop = (): void => {
    for (const name of readdirSync(place)) {
      if (name.startsWith("out.") || name.startsWith("theirs.")) rmSync(join(place, name));
    }
  };
  compare(
    "one pass",
    [
      {
        name: "diskwright convert, five outputs",
        command: [process.execPath, MAIN, "convert", raw, ...outputs, "-q"],
        before: drop,
      },
      {
        name: "cp and four qemu-img convert",
        command: ["sh", "-c", `cp "$1" "$2.raw" && ${script.join(" && ")}`, "sh", raw, theirs],
        before: drop,
      },
    ],
    Math.min(3, ROUNDS),
    report,
  );
});
