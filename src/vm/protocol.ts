import { byteKey, printable, utf8 } from "../bytes/index.ts";
import { outputMarks } from "./init-script.ts";

// What comes out of a running machine, as streams of bytes: records of what was done, the script's output, and what
// QEMU tells of itself. Everything here is pure.

/** One step that the machine has done. */
export type VmRecord =
  | { readonly type: "init"; readonly release: string }
  | { readonly type: "start" }
  | { readonly type: "exit"; readonly code: number }
  | { readonly type: "unmounted" }
  | { readonly type: "unmount-failed"; readonly inUse: string }
  | { readonly type: "stage-failed"; readonly reason: string }
  | { readonly type: "bye" };

/** A line longer than this is no record and no message of QEMU. */
const LONGEST_LINE = 1024 * 1024;

/** Cuts a stream into lines, without their ends. Lines that never end are dropped. */
export class LineSplitter {
  #rest = "";

  /** The lines that are complete now, a character for each byte. */
  feed(bytes: Uint8Array): string[] {
    const lines = (this.#rest + byteKey(bytes)).split("\n");
    const rest = lines.pop()!;
    this.#rest = rest.length > LONGEST_LINE ? "" : rest;
    return lines.map((line) => line.replace(/\r$/, ""));
  }
}

/** The record in a line; `undefined` for lines without the nonce, such as what firmware prints. */
export function parseRecord(line: string, nonce: string): VmRecord | undefined {
  const at = line.indexOf(`${nonce} `);
  if (at < 0) return undefined;
  const [, word, text] = /^(\S+) ?(.*)$/.exec(line.slice(at + nonce.length + 1)) ?? [];
  switch (word) {
    case "init":
      return { type: "init", release: text! };
    case "start":
    case "unmounted":
    case "bye":
      return { type: word };
    case "exit":
      return /^\d{1,3}$/.test(text!) ? { type: "exit", code: Number(text) } : undefined;
    case "unmount-failed":
      return { type: "unmount-failed", inUse: readable(text!.trim()) };
    case "stage-failed":
      return { type: "stage-failed", reason: readable(text!) };
    default:
      return undefined;
  }
}

/** Text that came as bytes, for messages. */
function readable(text: string): string {
  return printable(Uint8Array.from(text, (character) => character.charCodeAt(0)));
}

/** Takes the script's output out of what comes on its line: what lies between the two marks. */
export class OutputFilter {
  readonly #start: Uint8Array;
  readonly #end: Uint8Array;
  #pending: Uint8Array = new Uint8Array(0);
  #state: "before" | "within" | "behind" = "before";

  constructor(nonce: string) {
    const { start, end } = outputMarks(nonce);
    this.#start = utf8(start);
    this.#end = utf8(end);
  }

  /** Whether all of the output has come. */
  get isComplete(): boolean {
    return this.#state === "behind";
  }

  /** The output that is new. A part that may be the beginning of a mark is kept until more comes. */
  feed(bytes: Uint8Array): Uint8Array {
    if (this.#state === "behind") return new Uint8Array(0);
    let data = concatenated(this.#pending, bytes);
    if (this.#state === "before") {
      const at = indexOf(data, this.#start);
      if (at < 0) {
        this.#pending = data.slice(Math.max(0, data.length - this.#start.length));
        return new Uint8Array(0);
      }
      data = data.subarray(at + this.#start.length);
      this.#state = "within";
    }
    const end = indexOf(data, this.#end);
    if (end >= 0) {
      this.#state = "behind";
      this.#pending = new Uint8Array(0);
      return data.slice(0, end);
    }
    const kept = overlap(data, this.#end);
    this.#pending = data.slice(data.length - kept);
    return data.slice(0, data.length - kept);
  }

  /** What was kept, when nothing more will come. */
  finish(): Uint8Array {
    return this.#state === "within" ? this.#pending : new Uint8Array(0);
  }
}

function concatenated(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

function indexOf(data: Uint8Array, mark: Uint8Array): number {
  for (let at = data.indexOf(mark[0]!); at >= 0; at = data.indexOf(mark[0]!, at + 1)) {
    if (at + mark.length > data.length) return -1;
    if (mark.every((byte, index) => data[at + index] === byte)) return at;
  }
  return -1;
}

/** How many of the last bytes are the first ones of the mark. */
function overlap(data: Uint8Array, mark: Uint8Array): number {
  for (let length = Math.min(data.length, mark.length - 1); length > 0; length--) {
    const start = data.length - length;
    if (mark.subarray(0, length).every((byte, index) => data[start + index] === byte)) return length;
  }
  return 0;
}

/** Keeps the last bytes of a stream. */
export class Tail {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** `limit` is in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes.slice());
    this.#length += bytes.length;
    // Not at every part: what comes in drops would be copied again and again.
    if (this.#length > 2 * this.#limit) this.#trim();
  }

  get bytes(): Uint8Array {
    this.#trim();
    return this.#parts[0]!;
  }

  #trim(): void {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    const kept = all.slice(Math.max(0, all.length - this.#limit));
    this.#parts = [kept];
    this.#length = kept.length;
  }
}

/** The end of what came, with what would steer a terminal taken out. `limit` is in bytes. */
export function readableTail(tail: Tail, limit: number): string {
  const bytes = tail.bytes.subarray(Math.max(0, tail.bytes.length - limit));
  const text = new TextDecoder("utf-8").decode(bytes);
  return (
    text
      .replaceAll("\r\n", "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-_])/g, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "")
      .trim()
  );
}

/** Why the kernel gave up, as it says on the console (Linux, kernel/panic.c). */
export function panicOf(console: Uint8Array): string | undefined {
  const match = /Kernel panic - not syncing: ([^\r\n]*)/.exec(byteKey(console));
  return match === null ? undefined : readable(match[1]!);
}
