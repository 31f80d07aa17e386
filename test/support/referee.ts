import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";

/** What a referee printed. Its exit status alone proves little: most of them exit 0 on damage. */
export interface Verdict {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both outputs, for patterns that must not occur in either. */
  readonly output: string;
}

const ENVIRONMENT = { ...process.env, LC_ALL: "C", TZ: "UTC", MTOOLS_SKIP_CHECK: "1" };

/**
 * Programs that call sync(2) when they have written to a file: that waits for all filesystems of the host, also for
 * a slow one that has nothing to do with the test. Where it is installed, libeatmydata makes the call do nothing.
 */
const SYNCING: ReadonlySet<string> = new Set(["fdisk", "gdisk", "parted", "sfdisk", "sgdisk"]);
const WITHOUT_SYNC = { ...ENVIRONMENT, LD_PRELOAD: "libeatmydata.so" };
const canPassOverSync = isInstalled("eatmydata");

/** Runs an external program and gives back all that it printed. */
export function run(program: string, args: readonly string[], input?: Uint8Array | string): Verdict {
  const isSyncing = canPassOverSync && [program, ...args].some((word) => SYNCING.has(word));
  const env = isSyncing ? WITHOUT_SYNC : ENVIRONMENT;
  const result = spawnSync(program, args, { encoding: "utf8", input, env, maxBuffer: 1 << 28 });
  if (result.error !== undefined) throw result.error;
  const { status, stdout, stderr } = result;
  return { status, stdout, stderr, output: stdout + stderr };
}

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** In CI a missing referee is a failure; on a user's machine it is a visible skip. */
const REQUIRED = process.env.CI === "true";

/** A `describe` for tests that external programs judge. */
export function describeWith(programs: readonly string[], name: string, body: () => void): void {
  const missing = programs.filter((program) => !isInstalled(program));
  const judge = missing.length === 0 || REQUIRED ? describe : describe.skip;
  judge(missing.length === 0 ? name : `${name} (needs ${missing.join(", ")})`, body);
}

/** A directory for the files of one test file, removed when its tests are over. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "diskwright-test-"));
  // Not rmSync: some tests make paths that are longer than Node can reach.
  afterAll(() => void spawnSync("rm", ["-rf", directory]));
  return directory;
}

/** Writes an image into a scratch directory and returns its path. */
export function saveImage(directory: string, name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}
