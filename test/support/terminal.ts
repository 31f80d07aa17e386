import { spawnSync } from "node:child_process";
import { MAIN } from "./cli.ts";

/** What appeared on a terminal, and how the program ended. */
export interface TerminalResult {
  readonly status: number | null;
  readonly shown: string;
}

/**
 * Runs `diskwright` on a terminal of 80 columns and 24 lines. `redirections` are those of a shell, such as `2> file`.
 */
export function onTerminal(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  redirections = "",
): TerminalResult {
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const command = `stty cols 80 rows 24; ${words.join(" ")} ${redirections}`;
  // What continuous integration sets says that nobody watches, so a test has to say that somebody does.
  const env = {
    ...process.env,
    CI: "",
    TERM: "xterm",
    LANG: "C.UTF-8",
    LC_ALL: "",
    NO_COLOR: "",
    ...environment,
  };
  const { status, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    env,
    // A terminal needs no input here; of a pipe that is closed, script takes the end for the end of the session.
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });
  return { status, shown: stdout };
}
