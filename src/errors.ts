import { printableLines } from "./bytes/text.ts";

/**
 * What can go wrong, by name. A code is part of the public contract: it does not change when a message
 * is reworded.
 *
 * - `INVALID_TREE`: the tree cannot be stored as it is (a bad name, a clash, a loop, too many links).
 * - `INVALID_TABLE`: a partition table breaks a rule of its format.
 * - `INVALID_FILESYSTEM`: a filesystem was asked for that its format forbids.
 * - `INVALID_SPEC`: a value of the specification is unusable (a size, a GUID, a label).
 * - `UNSUPPORTED_ENTRY`: a filesystem cannot hold an entry (a symlink on FAT).
 * - `DOES_NOT_FIT`: the content is larger than the room; see {@link DoesNotFitError}.
 * - `SOURCE_CHANGED`: a file is no longer what the scan saw.
 * - `SOURCE_UNREADABLE`: a file or directory cannot be read.
 * - `CORRUPT`: what was read breaks the rules of its format.
 * - `UNSUPPORTED_IMAGE`: an image is sound as far as can be seen, but of a kind that is not read.
 * - `OUTPUT`: the output cannot be written.
 * - `ABORTED`: the caller's signal asked to stop.
 *
 * Of what runs in a virtual machine, before anything is started:
 *
 * - `VM_NO_QEMU`, `VM_NO_BUSYBOX`, `VM_NO_KERNEL`, `VM_NO_MODULE`, `VM_NO_FIRMWARE`: what it needs is not there.
 * - `VM_NO_ACCELERATOR`: the accelerator that was asked for does not work here.
 *
 * And afterwards, when the image must not be used:
 *
 * - `VM_QEMU_FAILED`: QEMU refused its options or gave up.
 * - `VM_QEMU_KILLED`: somebody else ended QEMU.
 * - `VM_STAGE_FAILED`: the machine started, but could not mount the image.
 * - `VM_SCRIPT_FAILED`: the script ended with another status than 0.
 * - `VM_TIMEOUT`: it took longer than it was allowed to.
 * - `VM_IO_ERROR`: the host could not read or write the image, for instance because its disk is full.
 * - `VM_PANIC`: the kernel gave up.
 * - `VM_NO_RESULT`: the machine stopped without saying how the script ended.
 * - `VM_NOT_UNMOUNTED`: a filesystem of the image was still in use at the end.
 */
export type ErrorCode =
  | "INVALID_TREE"
  | "INVALID_TABLE"
  | "INVALID_FILESYSTEM"
  | "INVALID_SPEC"
  | "UNSUPPORTED_ENTRY"
  | "DOES_NOT_FIT"
  | "SOURCE_CHANGED"
  | "SOURCE_UNREADABLE"
  | "CORRUPT"
  | "UNSUPPORTED_IMAGE"
  | "OUTPUT"
  | "ABORTED"
  | "VM_NO_QEMU"
  | "VM_NO_BUSYBOX"
  | "VM_NO_KERNEL"
  | "VM_NO_MODULE"
  | "VM_NO_FIRMWARE"
  | "VM_NO_ACCELERATOR"
  | "VM_QEMU_FAILED"
  | "VM_QEMU_KILLED"
  | "VM_STAGE_FAILED"
  | "VM_SCRIPT_FAILED"
  | "VM_TIMEOUT"
  | "VM_IO_ERROR"
  | "VM_PANIC"
  | "VM_NO_RESULT"
  | "VM_NOT_UNMOUNTED";

/** What an error is about, beside its message. */
export interface ErrorDetails {
  /** The path in the tree or on the host. */
  readonly path?: string;
  /** The name of the partition. */
  readonly partition?: string;
  /** One line for each thing that is wrong, when several were found at once. */
  readonly problems?: readonly string[];
  readonly cause?: unknown;
}

/** The base of every error that diskwright raises about its input, its output or what it reads. */
export class DiskwrightError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly partition: string | undefined;
  readonly problems: readonly string[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    // Paths and names in it come from anywhere, and whoever catches it may print it.
    super(printableLines(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.path = details.path;
    this.partition = details.partition;
    this.problems = details.problems ?? [];
  }
}

/** The content is larger than the room that it was given. Sizes are in bytes. */
export class DoesNotFitError extends DiskwrightError {
  /** What would have to be added to the size that was asked for. */
  readonly missingBytes: number;

  constructor(message: string, missingBytes: number, details: ErrorDetails = {}) {
    super("DOES_NOT_FIT", message, details);
    this.missingBytes = missingBytes;
  }
}

const LISTED_PROBLEMS = 20;

/** One error for everything that is wrong, so that a user mends a tree once and not problem by problem. */
export function problemsError(
  code: ErrorCode,
  heading: string,
  problems: readonly string[],
  details: ErrorDetails = {},
): DiskwrightError {
  const listed = problems.slice(0, LISTED_PROBLEMS).map((problem) => `\n  ${problem}`);
  const rest = problems.length - listed.length;
  const tail = rest > 0 ? `\n  … and ${rest} more` : "";
  const message =
    problems.length === 1 ? `${heading}: ${problems[0]}` : `${heading}:${listed.join("")}${tail}`;
  return new DiskwrightError(code, message, { ...details, problems });
}

/** Throws {@link problemsError}; returns normally when there are no problems. */
export function throwProblems(
  code: ErrorCode,
  heading: string,
  problems: readonly string[],
  details: ErrorDetails = {},
): void {
  if (problems.length > 0) throw problemsError(code, heading, problems, details);
}
