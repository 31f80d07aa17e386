import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { MAIN } from "../support/cli.ts";

// What a run leaves behind, and how soon it ends, when it is asked to end in the middle of its work.

const scratch = mkdtempSync(join(tmpdir(), "diskwright-stop-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const tree = join(scratch, "tree");
mkdirSync(tree);
writeFileSync(join(tree, "file"), Buffer.alloc(400 << 20, "x"));
const small = join(scratch, "small");
mkdirSync(small);
writeFileSync(join(small, "file"), "x");

let places = 0;

/** A new directory for what a run writes. */
function place(): string {
  const path = join(scratch, `place ${places++}`);
  mkdirSync(path);
  return path;
}

function start(args: readonly string[]): { readonly child: ChildProcess; stderr: () => string } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, SOURCE_DATE_EPOCH: "" },
  });
  let said = "";
  child.stderr!.on("data", (bytes) => void (said += bytes));
  return { child, stderr: () => said };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(2);
}

/** How a child ended, and how long after this call, in milliseconds. */
async function endOf(
  child: ChildProcess,
): Promise<{ readonly killer: string | null; readonly took: number }> {
  const from = performance.now();
  const [, killer] = (await once(child, "close")) as [number | null, string | null];
  return { killer, took: performance.now() - from };
}

/** A second is what is promised; a busy machine takes its own. */
const PROMPTLY = 3000;

describe.skipIf(process.platform === "win32")("a run that is asked to end", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "by %s while it writes ends by that signal, leaves nothing behind, and calls it no error",
    async (signal) => {
      const top = place();
      const { child, stderr } = start(["mkfs", "ext4", tree, "-o", join(top, "x.img")]);
      await until(() => readdirSync(top).length > 0);
      child.kill(signal);
      const { killer, took } = await endOf(child);
      expect(killer).toBe(signal);
      expect(took).toBeLessThan(PROMPTLY);
      expect(readdirSync(top)).toEqual([]);
      expect(stderr()).toBe("");
    },
  );

  it.each([0, 3, 30])("twice, %i ms apart, leaves nothing behind", async (pause) => {
    const top = place();
    const { child } = start([
      "build",
      "--root",
      tree,
      "--layout",
      "none",
      "-o",
      `qcow2-zstd:${join(top, "x")}`,
    ]);
    await until(() => readdirSync(top).length > 0);
    child.kill("SIGTERM");
    if (pause > 0) await delay(pause);
    child.kill("SIGTERM");
    const { killer } = await endOf(child);
    expect(killer).toBe("SIGTERM");
    expect(readdirSync(top)).toEqual([]);
  });

  it("while it computes ends at once", async () => {
    const top = place();
    // A filesystem of 60,000 groups: planning it is one long computation.
    const { child, stderr } = start(["mkfs", "ext4", small, "--size", "256TiB", "-o", join(top, "x.qcow2")]);
    await delay(1500);
    child.kill("SIGINT");
    const { killer, took } = await endOf(child);
    expect(killer).toBe("SIGINT");
    expect(took).toBeLessThan(PROMPTLY);
    expect(readdirSync(top)).toEqual([]);
    expect(stderr()).toBe("");
  });

  it("keeps the old output", async () => {
    const top = place();
    writeFileSync(join(top, "x.img"), "old");
    const { child } = start(["mkfs", "ext4", tree, "-o", join(top, "x.img")]);
    await until(() => readdirSync(top).length > 1);
    child.kill("SIGINT");
    await endOf(child);
    expect(readdirSync(top)).toEqual(["x.img"]);
    expect(readFileSync(join(top, "x.img"), "latin1")).toBe("old");
  });

  it("and is killed leaves a file that the next run removes and names", async () => {
    const top = place();
    const args = ["mkfs", "ext4", tree, "-o", join(top, "x.img")];
    const { child } = start(args);
    await until(() => readdirSync(top).length > 0);
    child.kill("SIGKILL");
    await endOf(child);
    const [left = ""] = readdirSync(top);
    expect(left).toMatch(/^\.x\.img\..*\.partial$/);
    const next = start(["mkfs", "ext4", small, "-o", join(top, "x.img")]);
    await endOf(next.child);
    if (process.platform !== "linux") return;
    expect(readdirSync(top)).toEqual(["x.img"]);
    expect(next.stderr()).toContain(`${left}: removed: it was left behind by a run that was killed`);
  });

  it.each([
    ["sleep 1000 & sleep 1000; wait", 1],
    ["trap '' TERM INT; (trap '' TERM; echo $$ > deaf; sleep 1000) & sleep 1000; sleep 1000", 1],
    ["trap '' TERM; sleep 1000; sleep 1000", 2],
  ])("ends the programs of --after with it: %s", async (command, times) => {
    const top = place();
    const marker = join(top, "running");
    const after = `echo $$ > ${JSON.stringify(marker)}; cd ${JSON.stringify(top)}; ${command}`;
    const { child } = start([
      "build",
      "--root",
      small,
      "--layout",
      "none",
      "-o",
      join(top, "x.img"),
      "-q",
      "--after",
      after,
    ]);
    await until(() => readdirSync(top).includes("running") && readFileSync(marker, "latin1").endsWith("\n"));
    await delay(50);
    const group = Number(readFileSync(marker, "latin1"));
    expect(process.kill(-group, 0)).toBe(true);
    for (let i = 0; i < times; i++) child.kill("SIGTERM");
    const { killer, took } = await endOf(child);
    expect(killer).toBe("SIGTERM");
    expect(took).toBeLessThan(PROMPTLY);
    await until(() => !isRunning(group));
    // The image was complete.
    expect(readdirSync(top)).toContain("x.img");
  });
});

/** Whether a process of a group is left; those that have ended and were not waited for do not count. */
function isRunning(group: number): boolean {
  if (process.platform !== "linux") {
    try {
      return process.kill(-group, 0);
    } catch {
      return false;
    }
  }
  return readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "latin1");
      const [state, , owner] = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return Number(owner) === group && state !== "Z";
    } catch {
      return false;
    }
  });
}
