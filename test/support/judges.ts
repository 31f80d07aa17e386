import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { expect } from "vitest";
import { run } from "./referee.ts";

// Referees exit 0 on much that is wrong, so what they print is judged as well.

/**
 * e2fsck finds nothing: exit 0, and no line but those of its passes and its summary. It takes the time for `seconds`
 * since 1970, by default for what it is.
 */
export function expectCleanExt4(path: string, seconds?: number): void {
  const clock = seconds === undefined ? [] : [`E2FSCK_TIME=${seconds}`];
  const { status, stdout, stderr } = run("env", [...clock, "e2fsck", "-fn", path]);
  const unexpected = stdout
    .split("\n")
    .filter(
      (line) =>
        line !== "" &&
        !/^Pass \d[A-Z]?: /.test(line) &&
        !/: \d+\/\d+ files \(.*\), \d+\/\d+ blocks$/.test(line),
    );
  const noise = stderr.split("\n").filter((line) => line !== "" && !/^e2fsck \d/.test(line));
  expect([...unexpected, ...noise]).toEqual([]);
  expect(status).toBe(0);
}

/** fsck.fat finds nothing: exit 0, its banner, its summary, and nothing else. */
export function expectCleanFat(path: string): void {
  const { status, stdout, stderr } = run("fsck.fat", ["-n", path]);
  const unexpected = stdout
    .split("\n")
    .filter(
      (line) => line !== "" && !/^fsck\.fat \d/.test(line) && !/: \d+ files, \d+\/\d+ clusters$/.test(line),
    );
  expect([...unexpected, stderr]).toEqual([""]);
  expect(status).toBe(0);
}

/** sgdisk and parted find a GPT, and nothing to say about it. */
export function expectCleanGpt(path: string): void {
  const { output } = run("sgdisk", ["-v", path]);
  expect(output).toContain("No problems found");
  expect(output).not.toMatch(/Problem|Caution|Warning|corrupt|Creating new/);
  expectCleanParted(path);
}

/** parted finds a table, and nothing to say about it. */
export function expectCleanParted(path: string): void {
  const { status, output } = run("parted", ["-s", path, "unit", "s", "print"]);
  expect(output).not.toMatch(/Error|Warning/);
  expect(status).toBe(0);
}

/** Copies a part of an image into a file of its own, for referees that know no offsets. */
export async function copyPart(image: string, offset: number, size: number, to: string): Promise<void> {
  await pipeline(createReadStream(image, { start: offset, end: offset + size - 1 }), createWriteStream(to));
}
