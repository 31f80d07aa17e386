import { lstatSync, openSync, readdirSync, readFileSync, readlinkSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { formatSize } from "../bytes/index.ts";
import { undoOnExit } from "./exit-work.ts";
import { isSystemError } from "./host-error.ts";

// An output has a temporary name until it is complete: .NAME.PID-START-BOOT-NAMESPACE.partial. What lies behind the
// name of the output tells the process that writes it from every other one, also from one that is given the same
// number later, one in another container, and one on another host that writes to the same network filesystem.

const SUFFIX = ".partial";

/** Of longer names only the start is kept: the whole has to stay below 255 bytes. */
const LONGEST_START = 160;

/** How many names are tried. */
const MOST_NAMES = 1000;

/** A file whose owner cannot be asked for counts as left behind when nothing has changed it for so long. */
const IDLE_MILLISECONDS = 10 * 60 * 1000;

/** A new file beside an output, open for writing. */
export interface PendingFile {
  readonly descriptor: number;
  readonly path: string;
  /** To be called when the file has its final name, or is removed: until then it is removed when the process exits. */
  readonly release: () => void;
}

/** Opens a new file beside `final`, hidden until it is complete. */
export function openPending(final: string): PendingFile {
  let made: string | undefined;
  const release = undoOnExit(() => {
    if (made !== undefined) unlinkSync(made);
  });
  try {
    for (let number = 0; ; number++) {
      const owner = ownerName(thisProcess()) + (number === 0 ? "" : `+${number}`);
      const path = join(dirname(final), `${pendingStart(final)}${owner}${SUFFIX}`);
      try {
        const descriptor = openSync(path, "wx", 0o666);
        made = path;
        return { descriptor, path, release };
      } catch (error) {
        if (!isSystemError(error) || error.code !== "EEXIST" || number >= MOST_NAMES) throw error;
      }
    }
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Removes the files beside `final` that runs have left which were killed, where it is certain that their process is
 * gone. Returns a warning for each, and for those that seem to be left behind by a process that cannot be asked for.
 */
export function clearStale(final: string): string[] {
  const start = pendingStart(final);
  // A directory may be writable and not readable.
  const names = attempt(() => readdirSync(dirname(final))) ?? [];
  return names
    .filter((name) => name.startsWith(start) && name.endsWith(SUFFIX))
    .map((name) => clearIfStale(join(dirname(final), name), name.slice(start.length, -SUFFIX.length)))
    .filter((warning) => warning !== undefined);
}

/** Removes one such file, or not; returns what is to be said of it. */
function clearIfStale(path: string, ownerText: string): string | undefined {
  const owner = parseOwner(ownerText);
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (owner === undefined || !status?.isFile()) return undefined;
  const state = stateOf(owner);
  const size = formatSize(status.size);
  if (state === "gone" && removed(path)) {
    return `${path}: removed: it was left behind by a run that was killed (${size})`;
  }
  if (state !== "unknown" || Date.now() - status.mtimeMs < IDLE_MILLISECONDS) return undefined;
  return `${path}: seems to be left behind by a run that was killed (${size}): remove it, unless a run on another system is writing it`;
}

function removed(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    // Another run has removed it, or it belongs to another user, who will be told.
    return false;
  }
}

function pendingStart(final: string): string {
  const name = basename(final);
  let kept = name.slice(0, LONGEST_START);
  while (Buffer.byteLength(kept) > LONGEST_START) kept = kept.slice(0, -1);
  return `.${kept}.`;
}

/** What tells a process from all others. */
interface ProcessIdentity {
  readonly pid: number;
  /** In ticks of the clock since the start of the system. */
  readonly startTime: string;
  /** A random number of this start of the system, and the number of the namespace that `pid` counts in. */
  readonly boot: string;
  readonly namespace: string;
}

let own: ProcessIdentity | undefined;

/** Linux tells all of it; elsewhere only the number is known, which is never enough to call a process gone. */
function thisProcess(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    startTime: startTimeOf("self") ?? "",
    boot:
      attempt(() =>
        readFileSync("/proc/sys/kernel/random/boot_id", "latin1").replace(/\W/g, "").slice(0, 12),
      ) ?? "",
    namespace: attempt(() => /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0]) ?? "",
  };
  return own;
}

function ownerName({ pid, startTime, boot, namespace }: ProcessIdentity): string {
  const isKnown = startTime !== "" && boot !== "" && namespace !== "";
  return isKnown ? `${pid}-${startTime}-${boot}-${namespace}` : String(pid);
}

function parseOwner(text: string): ProcessIdentity | undefined {
  const match = /^(\d+)(?:-(\w+)-(\w+)-(\w+))?(?:[+-]\d+)?$/.exec(text);
  if (match === null) return undefined;
  const [, pid, startTime = "", boot = "", namespace = ""] = match;
  return { pid: Number(pid), startTime, boot, namespace };
}

function stateOf(owner: ProcessIdentity): "alive" | "gone" | "unknown" {
  const { boot, namespace } = thisProcess();
  if (boot === "" || namespace === "" || owner.boot !== boot || owner.namespace !== namespace)
    return "unknown";
  if (!isRunning(owner.pid)) return "gone";
  const startTime = startTimeOf(owner.pid);
  return startTime === undefined || startTime === owner.startTime ? "alive" : "gone";
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isSystemError(error) || error.code !== "ESRCH";
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the name in field 2 may hold spaces and parentheses. */
function startTimeOf(pid: number | "self"): string | undefined {
  return attempt(() => {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  });
}

/** `undefined` where a system has no such file, or does not show it. */
function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
