import { spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { appendAll } from "../bytes/index.ts";
import { endWithProcess, startFailure } from "./child.ts";
import { DESCRIPTORS } from "./command-line.ts";
import { Monitor, type QemuEvent, QUIT } from "./monitor.ts";
import { LineSplitter, OutputFilter, parseRecord, Tail, type VmRecord } from "./protocol.ts";

/** A machine that is to be run until it is done. */
export interface MachineRun {
  readonly qemu: string;
  readonly args: readonly string[];
  readonly nonce: string;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal | undefined;
  /** Called with what the script prints, as it comes. An error that they throw ends the machine. */
  readonly onOutput: ((bytes: Uint8Array) => void) | undefined;
  /** Called with what the kernel and the firmware print. */
  readonly onConsole: ((bytes: Uint8Array) => void) | undefined;
}

/** What became of a machine. */
export interface MachineEnd {
  readonly records: readonly VmRecord[];
  readonly events: readonly QemuEvent[];
  readonly exit: { readonly code: number | null; readonly signal: string | null };
  readonly endedFor: "abort" | "timeout" | undefined;
  readonly output: Tail;
  readonly console: Tail;
  readonly qemuMessages: string;
  readonly timings: VmTimings;
}

/** When the machine came to each step, in milliseconds from its start; `undefined` for those that it never came to. */
export interface VmTimings {
  readonly kernel: number | undefined;
  readonly scriptStart: number | undefined;
  readonly scriptEnd: number | undefined;
  /** When QEMU had ended. */
  readonly total: number;
}

/** The most that is kept of the output and of the console, in bytes. */
const KEPT_OUTPUT = 1024 * 1024;
const KEPT_CONSOLE = 64 * 1024;
/** How long after its goodbye the last of the output is waited for. */
const LAST_OUTPUT_MILLISECONDS = 1000;

/**
 * Runs a machine, and listens to it. It is ended when the caller asks to, when it takes too long, and when the host
 * cannot write the image: everything that it would do afterwards is in vain.
 */
export async function runMachine(run: MachineRun): Promise<MachineEnd> {
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  const child = spawn(run.qemu, run.args, {
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
    // Ctrl-C is for this process, which then ends the machine in its own way.
    detached: true,
  });
  const release = endWithProcess(child);
  const channel = (name: keyof typeof DESCRIPTORS): Duplex => child.stdio[DESCRIPTORS[name] as 3] as Duplex;

  const records: VmRecord[] = [];
  const times = new Map<VmRecord["type"], number>();
  const events: QemuEvent[] = [];
  const output = new Tail(KEPT_OUTPUT);
  const console = new Tail(KEPT_CONSOLE);
  const messages = new Tail(KEPT_CONSOLE);
  const filter = new OutputFilter(run.nonce);
  const lines = new LineSplitter();
  const monitor = new Monitor();
  let endedFor: MachineEnd["endedFor"];
  let failure: { readonly error: unknown } | undefined;
  let quitTimer: NodeJS.Timeout | undefined;

  const kill = (): void => void child.kill("SIGKILL");
  const quit = (): void => void channel("monitor").write(QUIT);

  /** Hears a stream. What goes wrong while it is dealt with is the error of the run. */
  function hear(stream: NodeJS.ReadableStream, listener: (bytes: Uint8Array) => void): void {
    stream.on("data", (bytes: Buffer) => {
      if (failure !== undefined) return;
      try {
        listener(bytes);
      } catch (error) {
        failure = { error };
        kill();
      }
    });
    // A stream fails when QEMU is killed, which is told by how QEMU ended.
    stream.on("error", () => {});
  }

  function print(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    output.add(bytes);
    run.onOutput?.(bytes);
  }

  hear(channel("console"), (bytes) => {
    console.add(bytes);
    run.onConsole?.(bytes);
  });
  hear(channel("output"), (bytes) => {
    print(filter.feed(bytes));
    if (filter.isComplete && times.has("bye")) quit();
  });
  hear(channel("control"), (bytes) => {
    for (const line of lines.feed(bytes)) {
      const record = parseRecord(line, run.nonce);
      if (record === undefined) continue;
      records.push(record);
      times.set(record.type, elapsed());
      if (record.type !== "bye") continue;
      // Everything is on the disk: the machine need not shut down itself, which not every kernel can.
      if (filter.isComplete || !times.has("start")) quit();
      else quitTimer = setTimeout(quit, LAST_OUTPUT_MILLISECONDS);
    }
  });
  hear(channel("monitor"), (bytes) => {
    const answer = monitor.feed(bytes);
    for (const reply of answer.replies) channel("monitor").write(reply);
    appendAll(events, answer.events);
    if (answer.events.some(({ type }) => type === "io-error")) kill();
  });
  for (const stream of [child.stdout!, child.stderr!]) hear(stream, (bytes) => messages.add(bytes));

  const timer = setTimeout(() => {
    endedFor ??= "timeout";
    kill();
  }, run.timeoutSeconds * 1000);
  const abort = (): void => {
    endedFor ??= "abort";
    kill();
  };
  run.signal?.addEventListener("abort", abort, { once: true });
  if (run.signal?.aborted) abort();
  try {
    const exit = await new Promise<MachineEnd["exit"]>((resolve, reject) => {
      child.on("error", (error) => reject(startFailure(run.qemu, error)));
      child.on("close", (code, signal) => resolve({ code, signal }));
    });
    if (failure === undefined) print(filter.finish());
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
    const timings = {
      kernel: times.get("init"),
      scriptStart: times.get("start"),
      scriptEnd: times.get("exit"),
      total: elapsed(),
    };
    const qemuMessages = Buffer.from(messages.bytes).toString().trim();
    return { records, events, exit, endedFor, output, console, qemuMessages, timings };
  } finally {
    clearTimeout(timer);
    clearTimeout(quitTimer);
    run.signal?.removeEventListener("abort", abort);
    release();
  }
}
