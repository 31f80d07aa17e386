import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The command line as `npm run build` makes it. */
export const MAIN: string = join(import.meta.dirname, "../../dist/bin/diskwright.js");

/** What the command line printed, and how it ended. */
export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `diskwright` with these arguments. */
export function diskwright(args: readonly string[], environment: NodeJS.ProcessEnv = {}): CliResult {
  const env = { ...process.env, SOURCE_DATE_EPOCH: "", ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env,
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** Runs `diskwright` by a shell, with redirections such as `>&-`. */
export function diskwrightInShell(args: readonly string[], redirections: string): CliResult {
  const { status, stdout, stderr } = spawnSync(
    "sh",
    ["-c", `"$@" ${redirections}`, "sh", process.execPath, MAIN, ...args],
    { encoding: "utf8", env: { ...process.env, SOURCE_DATE_EPOCH: "" } },
  );
  return { status, stdout, stderr };
}
