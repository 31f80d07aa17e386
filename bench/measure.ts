import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** What one run of a whole process took. */
export interface Run {
  /** Seconds on the clock. */
  readonly wall: number;
  /** Seconds of processor time, user and system. */
  readonly cpu: number;
  /** The largest resident set, in MiB. */
  readonly memory: number;
}

const GNU_TIME = "/usr/bin/time";

/** Node reads certificates that it is told of whenever it starts: on hosts that set them, that is 0.05 s. */
const ENVIRONMENT = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };

/** Runs a command to its end, and throws when it fails. */
export function measure(command: readonly string[], report: string): Run {
  const timed = existsSync(GNU_TIME) ? [GNU_TIME, "-o", report, "-f", "%U %S %M", ...command] : [...command];
  const start = performance.now();
  const { status, stderr } = spawnSync(timed[0]!, timed.slice(1), { encoding: "utf8", env: ENVIRONMENT });
  const wall = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`${command.join(" ")} failed: ${stderr}`);
  if (timed.length === command.length) return { wall, cpu: Number.NaN, memory: Number.NaN };
  const [user, system, kilobytes] = readFileSync(report, "utf8").trim().split(" ").map(Number);
  return { wall, cpu: user! + system!, memory: kilobytes! / 1024 };
}

/** A contender in a comparison. */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  /** Called before each run. */
  readonly before?: () => void;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/**
 * Runs contenders in turn, so that a drifting machine is unfair to none, and prints the median of each and
 * how many times as long as the first it takes, pair by pair.
 */
export function compare(
  title: string,
  contenders: readonly Contender[],
  rounds: number,
  report: string,
): void {
  const runs = contenders.map((): Run[] => []);
  const failures = new Map<number, string>();
  for (let round = 0; round < rounds; round++) {
    for (const [index, { command, before }] of contenders.entries()) {
      if (failures.has(index)) continue;
      before?.();
      try {
        runs[index]!.push(measure(command, report));
      } catch (error) {
        // A rival that cannot do it is told, and left out.
        if (index === 0) throw error;
        failures.set(index, (error as Error).message);
      }
    }
  }
  const rows = contenders.map(({ name }, index) => {
    const own = runs[index]!;
    if (failures.has(index)) return { program: name, "wall s": "failed" };
    const ratio = median(own.map(({ wall }, round) => wall / runs[0]![round]!.wall));
    const cpuRatio = median(own.map(({ cpu }, round) => cpu / runs[0]![round]!.cpu));
    return {
      program: name,
      "wall s": median(own.map(({ wall }) => wall)).toFixed(2),
      "cpu s": median(own.map(({ cpu }) => cpu)).toFixed(2),
      "memory MiB": median(own.map(({ memory }) => memory)).toFixed(0),
      "wall ratio": ratio.toFixed(2),
      "cpu ratio": cpuRatio.toFixed(2),
    };
  });
  console.log(`\n${title} (${rounds} rounds)`);
  console.table(rows);
  for (const [index, message] of failures)
    console.log(`${contenders[index]!.name}: ${message.slice(0, 500)}`);
}
