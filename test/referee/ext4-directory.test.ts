import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { HASH_VERSION, type NameHashing, nameHasher } from "../../src/ext4/directory/hash.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();

/** Bytes that debugfs takes as they are: no white space, no quotes. */
const plainByte = fc.oneof(
  fc.integer({ min: 0x30, max: 0x5b }),
  fc.integer({ min: 0x5d, max: 0x7e }),
  fc.integer({ min: 0x80, max: 0xff }),
);

const hashing: fc.Arbitrary<NameHashing> = fc.record({
  hash: fc.constantFrom("legacy", "half_md4", "tea"),
  seed: fc.oneof(fc.uuid(), fc.constant("00000000-0000-0000-0000-000000000000")),
  isSigned: fc.boolean(),
});

/** Asks debugfs for a hash; those of unsigned characters have numbers there, but no names. */
function debugfsCommand({ hash, seed, isSigned }: NameHashing, name: Uint8Array): Buffer {
  const version = HASH_VERSION[hash] + (isSigned ? 0 : 3);
  return Buffer.concat([Buffer.from(`dx_hash -s ${seed} -h ${version} `), name, Buffer.from("\n")]);
}

describeWith(["debugfs"], "directory hashes before debugfs", () => {
  it("are those of e2fsprogs for names of any length and byte", () => {
    const name = fc
      .integer({ min: 1, max: 255 })
      .chain((length) => fc.array(plainByte, { minLength: length, maxLength: length }))
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.array(fc.tuple(hashing, name), { minLength: 200, maxLength: 200 }), (cases) => {
        const path = join(scratch, "commands");
        writeFileSync(path, Buffer.concat(cases.map(([kind, bytes]) => debugfsCommand(kind, bytes))));
        const { stdout } = run("debugfs", ["-f", path]);
        const printed = [...stdout.matchAll(/ is 0x([0-9a-f]+) \(minor /g)].map((match) => match[1]);
        const ours = cases.map(([kind, bytes]) => nameHasher(kind)(bytes, 0, bytes.length).toString(16));
        expect(ours).toEqual(printed);
      }),
      { numRuns: 20 },
    );
  });
});
