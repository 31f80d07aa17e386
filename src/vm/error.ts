import { DiskwrightError, type ErrorCode, type ErrorDetails } from "../errors.ts";
import type { VmTimings } from "./machine.ts";

/** What is known of a run that failed. */
export interface VmEvidence {
  /** How the script ended, if it did. */
  readonly exitCode: number | undefined;
  /** The end of what the script printed. */
  readonly output: string;
  /** The end of what the kernel and what started it printed. */
  readonly consoleTail: string;
  /** What QEMU itself said. */
  readonly qemuMessages: string;
  readonly timings: VmTimings;
}

/** A step in a virtual machine went wrong: the image that it worked on must not be used. */
export class VmError extends DiskwrightError {
  readonly evidence: VmEvidence;

  constructor(code: ErrorCode, message: string, evidence: VmEvidence, details: ErrorDetails = {}) {
    super(code, message, details);
    this.evidence = evidence;
  }
}
