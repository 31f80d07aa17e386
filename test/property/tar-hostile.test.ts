import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { DiskwrightError } from "../../src/errors.ts";
import { tarArchive } from "../../src/node/index.ts";
import { type TarInput, TarReader } from "../../src/tar/index.ts";
import { anyDamage } from "../support/damage.ts";

const corpus = join(import.meta.dirname, "../corpus/tar");
const samples = readdirSync(corpus)
  .filter((name) => name.endsWith(".tar"))
  .map((name) => [name, readFileSync(join(corpus, name))] as const);
const scratch = mkdtempSync(join(tmpdir(), "diskwright-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const CODES = ["CORRUPT", "INVALID_TREE"];

/** Bytes in memory, as a pipe gives them. */
function inputOf(bytes: Uint8Array): TarInput {
  let at = 0;
  return {
    read(length): Uint8Array {
      const part = bytes.subarray(at, at + Math.min(length, 65_536));
      at += part.length;
      return part;
    },
    skip(length): number {
      const count = Math.min(length, bytes.length - at);
      at += count;
      return count;
    },
  };
}

/** Reads every member and its content; anything but an error of ours is a fault. */
async function survives(bytes: Uint8Array): Promise<void> {
  try {
    const reader = new TarReader(inputOf(bytes));
    let taken = 0;
    for (let member = await reader.next(); member !== undefined; member = await reader.next()) {
      if (taken % 2 === 0) await reader.content((part) => void (taken += part.length));
      taken++;
    }
    expect(taken).toBeLessThanOrEqual(2 * bytes.length);
  } catch (error) {
    if (!(error instanceof DiskwrightError)) throw error;
    expect(CODES).toContain(error.code);
  }
}

describe("hostile archives", () => {
  it.each(samples)("%s becomes a tree, or is refused", async (name) => {
    const refused = await tarArchive(join(corpus, name)).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refused === undefined) return;
    expect(refused).toBeInstanceOf(DiskwrightError);
    expect(CODES).toContain((refused as DiskwrightError).code);
    expect((refused as Error).message).toContain(name);
  });

  it("have what climbs out, and what lies below links, named", async () => {
    await expect(tarArchive(join(corpus, "climbing.tar"))).rejects.toThrow(
      /\.\.\/\.\.\/etc\/passwd[^\n]*\n[^\n]*a\/\.\.\/\.\.\/b[^\n]*\n[^\n]*\.\.\/\.\.\/\.\.\/etc\/shadow/,
    );
    // /etc leads to itself within the tree; /out leads to the root of the tree, not out of it.
    await expect(tarArchive(join(corpus, "through-links.tar"))).rejects.toThrow(
      /: etc\/passwd: the symlinks on the way lead in a circle[^\n]*: see \/etc$/,
    );
    await expect(tarArchive(join(corpus, "loops.tar"))).rejects.toThrow(
      /\/a: the hard links lead in a circle/,
    );
  });

  it("with any bytes changed are read or refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...samples),
        anyDamage,
        fc.boolean(),
        async ([, bytes], damage, mendsSums) => {
          const damaged = damage(bytes);
          // Most damage ends at a checksum: what is behind it has to hold as well.
          if (mendsSums)
            for (let at = 0; at + 512 <= damaged.length; at += 512) mendSum(damaged.subarray(at, at + 512));
          await survives(damaged);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("cut off anywhere are refused, or are whole without the rest", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples), fc.nat(), async ([, bytes], at) => {
        await survives(bytes.subarray(0, at % (bytes.length + 1)));
      }),
    );
  });

  it("that are compressed and damaged are refused with their name", async () => {
    const { gzipSync } = await import("node:zlib");
    const whole = gzipSync(samples.find(([name]) => name === "pax.tar")![1]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, difference, isCut) => {
          const damaged = Uint8Array.from(isCut ? whole.subarray(0, Math.max(6, at % whole.length)) : whole);
          if (!isCut) damaged[at % damaged.length]! ^= difference;
          const path = join(scratch, "damaged.tar.gz");
          writeFileSync(path, damaged);
          await tarArchive(path).then(
            () => undefined,
            (error: unknown) => {
              expect(error).toBeInstanceOf(DiskwrightError);
              expect((error as Error).message).toContain("damaged.tar.gz");
            },
          );
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** Gives a header the checksum that its bytes have. */
function mendSum(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
