import { LineSplitter } from "./protocol.ts";

// The QEMU Machine Protocol (QEMU, docs/interop/qmp-spec): objects of JSON, one a line. QEMU greets, and tells of
// events once its capabilities are negotiated. Nothing here does anything: what is to be sent is given back.

/** What QEMU tells that says how a run went. */
export type QemuEvent =
  | {
      readonly type: "io-error";
      readonly operation: "read" | "write";
      readonly reason: string;
      readonly isDiskFull: boolean;
    }
  | { readonly type: "shutdown"; readonly reason: string };

/** What is to be sent, and what was told. */
export interface MonitorAnswer {
  readonly replies: readonly string[];
  readonly events: readonly QemuEvent[];
}

/** Ends QEMU in order. */
export const QUIT: string = command("quit");

function command(name: string): string {
  return `${JSON.stringify({ execute: name })}\n`;
}

/** Speaks with QEMU: negotiates, and lets the machine run, which waits for it. */
export class Monitor {
  readonly #lines = new LineSplitter();
  #state: "greeting" | "negotiating" | "running" = "greeting";

  feed(bytes: Uint8Array): MonitorAnswer {
    const replies: string[] = [];
    const events: QemuEvent[] = [];
    for (const line of this.#lines.feed(bytes)) {
      const message = parse(line);
      if (message === undefined) continue;
      if (this.#state === "greeting" && "QMP" in message) {
        this.#state = "negotiating";
        replies.push(command("qmp_capabilities"));
      } else if (this.#state === "negotiating" && "return" in message) {
        this.#state = "running";
        replies.push(command("cont"));
      } else {
        const event = eventOf(message);
        if (event !== undefined) events.push(event);
      }
    }
    return { replies, events };
  }
}

/** What Unix systems call ENOSPC and EDQUOT. */
const DISK_FULL = /no space left on device|quota exceeded/i;

type JsonObject = Readonly<Record<string, unknown>>;

function parse(line: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(line));
  } catch {
    // Whatever it is, it is no message of QEMU; what follows may be one.
    return undefined;
  }
}

function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null ? (value as JsonObject) : undefined;
}

function eventOf({ event, data }: JsonObject): QemuEvent | undefined {
  const details = objectOf(data) ?? {};
  if (event === "BLOCK_IO_ERROR") {
    const reason = typeof details.reason === "string" ? details.reason : "no reason is given";
    return {
      type: "io-error",
      operation: details.operation === "read" ? "read" : "write",
      reason,
      // QEMU sets its flag only for machines that are to stop when the disk is full.
      isDiskFull: details.nospace === true || DISK_FULL.test(reason),
    };
  }
  if (event === "SHUTDOWN") {
    return { type: "shutdown", reason: typeof details.reason === "string" ? details.reason : "" };
  }
  return undefined;
}
