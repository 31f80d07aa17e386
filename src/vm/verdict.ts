import type { ErrorCode } from "../errors.ts";
import type { QemuEvent } from "./monitor.ts";
import type { VmRecord } from "./protocol.ts";

/** All that is known of a run when QEMU has ended. */
export interface RunOutcome {
  readonly image: string;
  readonly records: readonly VmRecord[];
  readonly events: readonly QemuEvent[];
  /** How QEMU ended. */
  readonly exit: { readonly code: number | null; readonly signal: string | null };
  /** Why it was ended from here, if it was. */
  readonly endedFor: "abort" | "timeout" | undefined;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  /** What the kernel gave up for. */
  readonly panic: string | undefined;
  /** What QEMU itself said. */
  readonly qemuMessages: string;
}

/** Why the image of a run must not be used. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Judges a run. It is good only when the script ended with 0, everything was unmounted, the machine said that it was
 * done, the host read and wrote all that it was asked to, and QEMU ended in order.
 */
export function failureOf(outcome: RunOutcome): Failure | undefined {
  for (const judge of JUDGES) {
    const failure = judge(outcome);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** The first one that finds something wrong is heard: what the others would is a consequence of it. */
const JUDGES: readonly ((outcome: RunOutcome) => Failure | undefined)[] = [
  abort,
  hostFailure,
  timeout,
  panic,
  stageFailure,
  qemuFailure,
  noExit,
  scriptFailure,
  stillMounted,
  noEnd,
];

function find<Type extends VmRecord["type"]>(
  { records }: RunOutcome,
  type: Type,
): Extract<VmRecord, { readonly type: Type }> | undefined {
  return records.find((record) => record.type === type) as
    | Extract<VmRecord, { readonly type: Type }>
    | undefined;
}

function abort({ endedFor }: RunOutcome): Failure | undefined {
  return endedFor === "abort" ? { code: "ABORTED", message: "stopped on request" } : undefined;
}

function hostFailure({ image, events }: RunOutcome): Failure | undefined {
  const errors = events.filter((event) => event.type === "io-error");
  const error = errors.find(({ isDiskFull }) => isDiskFull) ?? errors[0];
  if (error === undefined) return undefined;
  const doing = error.operation === "read" ? "reading" : "writing";
  const why = error.isDiskFull
    ? "the disk that holds it is full: make room there"
    : `${error.reason}: check the disk that holds it`;
  return {
    code: "VM_IO_ERROR",
    message: `${image}: ${doing} the image failed while the machine ran; ${why}, and build the image again`,
  };
}

function timeout(outcome: RunOutcome): Failure | undefined {
  if (outcome.endedFor !== "timeout") return undefined;
  return {
    code: "VM_TIMEOUT",
    message: `the machine was ended after ${outcome.timeoutSeconds} seconds, ${progress(outcome)}: see whether it waits for something, or allow more (--vm-timeout)`,
  };
}

/** How far the machine had come. */
function progress(outcome: RunOutcome): string {
  switch (outcome.records.at(-1)?.type) {
    case undefined:
      return "before its kernel had started";
    case "init":
      return "while it mounted the image";
    case "start":
      return "while the script ran";
    case "exit":
      return "while it unmounted the image";
    case "unmounted":
    case "unmount-failed":
    case "stage-failed":
    case "bye":
      return "while it shut down";
  }
}

/** A script may print about panics on the console; whoever says goodbye had none. */
function panic(outcome: RunOutcome): Failure | undefined {
  if (outcome.panic === undefined || find(outcome, "bye") !== undefined) return undefined;
  return {
    code: "VM_PANIC",
    message: `the kernel gave up ${progress(outcome)}: ${outcome.panic}; try another kernel, or more memory (it had ${outcome.memoryMiB} MiB)`,
  };
}

function stageFailure(outcome: RunOutcome): Failure | undefined {
  const record = find(outcome, "stage-failed");
  if (record === undefined) return undefined;
  return {
    code: "VM_STAGE_FAILED",
    message: `the machine could not prepare the image for the script: ${record.reason}; the console tells more`,
  };
}

function qemuFailure({ exit, qemuMessages, records, memoryMiB }: RunOutcome): Failure | undefined {
  if (exit.signal !== null) {
    return {
      code: "VM_QEMU_KILLED",
      message: `QEMU was ended by the signal ${exit.signal}: if this host ran out of memory, give the machine less (it had ${memoryMiB} MiB)`,
    };
  }
  if (exit.code === 0) return undefined;
  const said = qemuMessages === "" ? "it said nothing" : qemuMessages;
  const remedy = records.length === 0 ? "check the image's path and the extra arguments" : "try again";
  return {
    code: "VM_QEMU_FAILED",
    message: `QEMU gave up with status ${exit.code} (${remedy}): ${said}`,
  };
}

function noExit(outcome: RunOutcome): Failure | undefined {
  if (find(outcome, "exit") !== undefined) return undefined;
  const didStart = find(outcome, "start") !== undefined;
  const wasReset = outcome.events.some(
    (event) => event.type === "shutdown" && event.reason === "guest-reset",
  );
  const what = wasReset ? "the machine restarted" : "the machine stopped";
  const remedy = didStart
    ? "the script must not shut the machine down"
    : `give it more memory (it had ${outcome.memoryMiB} MiB), or another kernel`;
  return { code: "VM_NO_RESULT", message: `${what} ${progress(outcome)}, without a result: ${remedy}` };
}

/** Shells say by numbers above 128 which signal ended a program. */
function scriptFailure(outcome: RunOutcome): Failure | undefined {
  const code = find(outcome, "exit")!.code;
  if (code === 0) return undefined;
  const hint =
    code === 127
      ? ": a command was not found in the image"
      : code === 126
        ? ": a command in the image cannot be run"
        : code > 128
          ? `: it was ended by signal ${code - 128}`
          : "";
  return { code: "VM_SCRIPT_FAILED", message: `the script ended with status ${code}${hint}` };
}

function stillMounted(outcome: RunOutcome): Failure | undefined {
  const record = find(outcome, "unmount-failed");
  if (record === undefined) return undefined;
  return {
    code: "VM_NOT_UNMOUNTED",
    message: `the script left filesystems in use that could not be unmounted: ${record.inUse}; have it stop what it starts`,
  };
}

function noEnd(outcome: RunOutcome): Failure | undefined {
  if (find(outcome, "unmounted") !== undefined && find(outcome, "bye") !== undefined) return undefined;
  return {
    code: "VM_NO_RESULT",
    message: `the machine stopped ${progress(outcome)}: the image may be incomplete; try again`,
  };
}
