import { chmodSync, mkdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Reservations } from "../../src/node/reserve.ts";
import { scratchDirectory } from "../support/referee.ts";

const MIB = 2 ** 20;
const scratch = scratchDirectory();
const file = join(scratch, "file");
const log = join(scratch, "log");
const free = statfsSync(scratch);

/** What the program is that is found under the name of fallocate. */
function program(script: string): void {
  writeFileSync(join(scratch, "bin/fallocate"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(scratch, "bin/fallocate"), 0o755);
}

const path = `${join(scratch, "bin")}:${process.env.PATH}`;
mkdirSync(join(scratch, "bin"));

describe.skipIf(process.platform !== "linux" || free.type !== 0xef53)("Reservations, on ext4", () => {
  beforeEach(() => {
    vi.stubEnv("PATH", path);
    writeFileSync(file, "");
    writeFileSync(log, "");
    program(`echo "$3 $5 $7" >> ${log}`);
  });

  const calls = (): string[] => readFileSync(log, "utf8").split("\n").slice(0, -1);

  it("asks for one range after the other, but for those that are short or too long for what is free", async () => {
    const reservations = new Reservations(file);
    const half = Math.ceil((free.bavail * free.bsize) / 2);
    reservations.add(0, 2 * half);
    reservations.add(512, 128 * MIB);
    reservations.add(200 * MIB, 128 * MIB - 1);
    reservations.add(400 * MIB, 300 * MIB);
    await vi.waitUntil(() => calls().length === 2, 10_000);
    await reservations.stop();
    expect(calls()).toEqual([`512 ${128 * MIB} ${file}`, `${400 * MIB} ${300 * MIB} ${file}`]);
  });

  it("goes on with the next range when the program fails", async () => {
    program(`echo "$3 $5 $7" >> ${log}; exit 1`);
    const reservations = new Reservations(file);
    reservations.add(0, 128 * MIB);
    reservations.add(256 * MIB, 128 * MIB);
    await vi.waitUntil(() => calls().length === 2, 10_000);
    await reservations.stop();
    expect(calls()).toEqual([`0 ${128 * MIB} ${file}`, `${256 * MIB} ${128 * MIB} ${file}`]);
  });

  it("does without when the program is missing, or may not be started", async () => {
    chmodSync(join(scratch, "bin/fallocate"), 0o644);
    vi.stubEnv("PATH", join(scratch, "bin"));
    await expectNothing();
    vi.stubEnv("PATH", path);
    chmodSync(join(scratch, "bin/fallocate"), 0o755);
    const refused = vi.spyOn(process, "getBuiltinModule").mockImplementation(() => {
      throw new Error("Access to this API has been restricted");
    });
    await expectNothing();
    refused.mockRestore();
  });

  it("ends what is under way, and starts nothing more, when it is stopped", async () => {
    program(`echo "$3 $5 $7" >> ${log}; exec sleep 1000`);
    const reservations = new Reservations(file);
    for (const position of [0, 128, 256]) reservations.add(position * MIB, 128 * MIB);
    await vi.waitUntil(() => calls().length > 0, 10_000);
    await reservations.stop();
    expect(calls()).toEqual([`0 ${128 * MIB} ${file}`]);
    await new Reservations(file).stop();
  });

  async function expectNothing(): Promise<void> {
    const reservations = new Reservations(file);
    reservations.add(0, 128 * MIB);
    reservations.add(128 * MIB, 128 * MIB);
    await reservations.stop();
    expect(statSync(file)).toMatchObject({ size: 0, blocks: 0 });
    expect(calls()).toEqual([]);
  }
});
