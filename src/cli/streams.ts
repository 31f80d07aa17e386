import { fstatSync, readSync, statSync } from "node:fs";
import { devNull } from "node:os";
import { isatty } from "node:tty";
import { printableLines } from "../bytes/index.ts";

// To open a standard stream takes a few milliseconds: a run opens those that it writes to.

const opened = new Set<NodeJS.WriteStream>();

/** For data. A failure is told to the callback of the write. */
export function standardOutput(): NodeJS.WriteStream {
  return open(process.stdout);
}

/** For people. They may go away: the exit status says how it went. */
export function standardError(): NodeJS.WriteStream {
  return open(process.stderr);
}

/**
 * Writes lines for people to standard error. Names come from sources, images and command lines: whatever in the text
 * could steer a terminal or deceive a reader is escaped here, wherever it comes from.
 *
 * @param label - What stands before it; a {@link paint}ed word, which is ours.
 */
export function writeText(text: string, label = ""): void {
  standardError().write(`${label}${printableLines(text)}\n`);
}

/** What standard output is where an image must not go; undefined where it may. */
export function unfitStandardOutput(): "a terminal" | "closed" | undefined {
  if (isatty(STANDARD_OUTPUT)) return "a terminal";
  return isClosed(STANDARD_OUTPUT) ? "closed" : undefined;
}

const STANDARD_OUTPUT = 1;

/**
 * Whether a standard stream was closed when the program started. Node opens the null device in its place, for reading
 * and writing; a shell's `> /dev/null` is for writing only.
 */
function isClosed(descriptor: number): boolean {
  try {
    const { rdev } = fstatSync(descriptor);
    if (statSync(devNull, { throwIfNoEntry: false })?.rdev !== rdev) return false;
    readSync(descriptor, new Uint8Array(1));
    return true;
  } catch (error) {
    // Other runtimes leave it closed. To read from what is open for writing only fails with the same code.
    return (error as NodeJS.ErrnoException).syscall === "fstat";
  }
}

/** Waits until everything that was written has left: where a stream is a pipe, that takes its time on some systems. */
export async function allWritten(): Promise<void> {
  await Promise.all([...opened].map(written));
}

function open(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (!opened.has(stream)) {
    opened.add(stream);
    // Without a listener, a reader that goes away would end the process.
    stream.on("error", () => {});
  }
  return stream;
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
