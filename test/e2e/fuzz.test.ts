import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Kind, seeds } from "../fuzz/corpus.ts";
import { mutated } from "../fuzz/mutate.ts";
import { Random } from "../fuzz/random.ts";
import { readAll } from "../fuzz/read-all.ts";
import { repairContainers } from "../fuzz/repair/containers.ts";
import { ext4Places, repairExt4 } from "../fuzz/repair/ext4.ts";
import { repairGpt } from "../fuzz/repair/gpt.ts";
import { run } from "../support/referee.ts";

const root = join(import.meta.dirname, "../..");
const corpus = join(root, "test/corpus/fuzz");
const samples = readdirSync(corpus).filter((name) => name.endsWith(".z"));

/** All that comes before a time in an inode. */
const MODIFIED = 0x10;

describe("the fuzzer", () => {
  it("finds nothing in a short run", () => {
    const args = ["scripts/fuzz.mjs", "--seed", "1", "--time", "25", "--every", "0", "--dry"];
    const { status, stdout, stderr } = run(
      "node",
      args.map((arg) => arg.replace(/^scripts/, `${root}/scripts`)),
    );
    expect(stdout + stderr).toMatch(/^\d+ inputs from \d+ seeds, 0 findings/m);
    expect(Number(/^(\d+) inputs/m.exec(stdout)![1])).toBeGreaterThan(100);
    expect(status).toBe(0);
  });

  it("makes the same inputs of the same numbers", async () => {
    const { bytes } = (await seeds(["mtree"]))[0]!;
    const make = (seed: number, input: number): Uint8Array => mutated(bytes, [], new Random(seed, input));
    expect(make(1, 7)).toEqual(make(1, 7));
    expect(make(1, 7)).not.toEqual(make(1, 8));
    expect(make(1, 7)).not.toEqual(make(2, 7));
  });

  it("has checksums right that it repairs, and repairs nothing that is sound", async () => {
    const made = await seeds(["ext4", "disk/small", "disk/v"]);
    for (const { name, kind, bytes } of made) {
      const repaired = bytes.slice();
      if (kind === "ext4") {
        const places = await ext4Places(bytes);
        repairExt4(repaired, places);
        expect(Buffer.compare(repaired, bytes), name).toBe(0);
        const file = places.inodes.at(-1)!.position + MODIFIED;
        repaired[file]! ^= 1;
        repairExt4(repaired, places);
        expect((await readAll(kind, repaired)).complaints, name).toEqual([]);
      } else {
        repairGpt(repaired);
        repairContainers(repaired);
        expect(Buffer.compare(repaired, bytes), name).toBe(0);
      }
    }
  });
});

describe("what it found once", () => {
  it.each(samples)("%s is read, and what is wrong with it is said", async (name) => {
    const kind = name.slice(0, name.indexOf("-")) as Kind;
    const { complaints } = await readAll(kind, new Uint8Array(inflateSync(readFileSync(join(corpus, name)))));
    if (name.includes("-unsound-")) expect(complaints).not.toEqual([]);
  });
});
