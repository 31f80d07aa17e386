import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { Monitor } from "../../src/vm/monitor.ts";
import {
  LineSplitter,
  OutputFilter,
  panicOf,
  parseRecord,
  readableTail,
  Tail,
  type VmRecord,
} from "../../src/vm/protocol.ts";
import { failureOf, type RunOutcome } from "../../src/vm/verdict.ts";

const NONCE = "diskwright-0123";
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("records", () => {
  /** A whole run, as the line for records gave it. */
  const stream = `BdsDxe: failed\r\n\x1b[2J${NONCE} init 6.1.0\r\n${NONCE} start\r\n${NONCE} exit 3\r\n${NONCE} unmounted\r\n${NONCE} bye\r\n`;
  const parse = (from: string): (VmRecord | undefined)[] =>
    new LineSplitter().feed(utf8(from)).map((line) => parseRecord(line, NONCE));

  it("are read out of what else is on the line", () => {
    expect(parse(stream).filter((record) => record !== undefined)).toEqual([
      { type: "init", release: "6.1.0" },
      { type: "start" },
      { type: "exit", code: 3 },
      { type: "unmounted" },
      { type: "bye" },
    ]);
  });

  it.each([
    "exit 3",
    "other exit 3",
    `${NONCE}exit 3`,
    `${NONCE} exit`,
    `${NONCE} exit -1`,
    `${NONCE} exit 1000`,
    `${NONCE} `,
    `${NONCE} EXIT 3`,
  ])("are not: %j", (line) => expect(parse(`${line}\n`)).toEqual([undefined]));

  it("cannot steer a terminal", () => {
    expect(parse(`${NONCE} stage-failed a\x1b[2Jb\n`)).toEqual([
      { type: "stage-failed", reason: "a\\x1b[2Jb" },
    ]);
    expect(parse(`${NONCE} unmount-failed /mnt /mnt/\xc3\xa4 \n`)).toEqual([
      { type: "unmount-failed", inUse: expect.stringContaining("/mnt") },
    ]);
  });

  it("end with their line", () => {
    const lines = new LineSplitter();
    expect(lines.feed(utf8("a"))).toEqual([]);
    expect(lines.feed(utf8("b\r\nc\n\nd"))).toEqual(["ab", "c", ""]);
  });

  it("are found behind a line that never ends", () => {
    const lines = new LineSplitter();
    for (let part = 0; part < 20; part++) lines.feed(new Uint8Array(100_000).fill(0x61));
    expect(lines.feed(utf8("\nb\n")).at(-1)).toBe("b");
  });
});

describe("the script's output", () => {
  const whole = utf8(
    `firmware\n${NONCE} outpuh\n${NONCE} output\nhello\n${NONCE}\n\n${NONCE} en\nworld${NONCE} end\nrest`,
  );
  const expected = `hello\n${NONCE}\n\n${NONCE} en\nworld`;

  it("lies between the marks, however it comes", () => {
    for (let size = 1; size <= whole.length; size++) {
      const filter = new OutputFilter(NONCE);
      let output = "";
      for (let at = 0; at < whole.length; at += size)
        output += text(filter.feed(whole.subarray(at, at + size)));
      expect(output + text(filter.finish())).toBe(expected);
      expect(filter.isComplete).toBe(true);
    }
  });

  it("comes at once, but for what may be a mark", () => {
    const filter = new OutputFilter(NONCE);
    expect(text(filter.feed(utf8(`${NONCE} output\na line\n`)))).toBe("a line\n");
    expect(text(filter.feed(utf8("a disk")))).toBe("a ");
    expect(text(filter.feed(utf8("s")))).toBe("disks");
    expect(text(filter.feed(utf8("disk")))).toBe("");
    expect(text(filter.finish())).toBe("disk");
    expect(filter.isComplete).toBe(false);
  });

  it("is empty when nothing was printed, or nothing was run", () => {
    const filter = new OutputFilter(NONCE);
    expect(text(filter.feed(utf8(`${NONCE} output\n${NONCE} end\n`)))).toBe("");
    expect(filter.isComplete).toBe(true);
    const silent = new OutputFilter(NONCE);
    expect(text(silent.feed(utf8("firmware")))).toBe("");
    expect(text(silent.finish())).toBe("");
  });
});

describe("the end of what was printed", () => {
  it("is kept, however it comes", () => {
    for (const parts of [
      ["abc", "defgh"],
      ["a", "b", "c", "d", "e", "f", "g", "h"],
      ["abcdefgh"],
      ["efgh"],
    ]) {
      const tail = new Tail(4);
      for (const part of parts) tail.add(utf8(part));
      expect(text(tail.bytes)).toBe("efgh");
    }
    expect(text(new Tail(4).bytes)).toBe("");
  });

  it("is shown without what steers terminals", () => {
    const tail = new Tail(1000);
    tail.add(utf8("\x1b[31mred\x1b[0m\r\n\x1b]0;title\x07\tä\x00\x7f\n\n"));
    expect(readableTail(tail, 1000)).toBe("red\n\tä");
    expect(readableTail(tail, 4)).toBe("");
  });

  it("tells why the kernel gave up", () => {
    expect(panicOf(utf8("[1.0] Kernel panic - not syncing: VFS: Unable to mount\r\nmore"))).toBe(
      "VFS: Unable to mount",
    );
    expect(panicOf(utf8("all is well"))).toBeUndefined();
  });
});

describe("the monitor", () => {
  const line = (message: unknown): Uint8Array => utf8(`${JSON.stringify(message)}\r\n`);

  it("negotiates, lets the machine run, and hears its events", () => {
    const monitor = new Monitor();
    expect(monitor.feed(line({ QMP: {} }))).toEqual({
      replies: ['{"execute":"qmp_capabilities"}\n'],
      events: [],
    });
    expect(monitor.feed(line({ return: {} }))).toEqual({ replies: ['{"execute":"cont"}\n'], events: [] });
    expect(monitor.feed(line({ return: {} }))).toEqual({ replies: [], events: [] });
    const event = {
      event: "BLOCK_IO_ERROR",
      data: { operation: "write", nospace: true, reason: "No space left on device" },
    };
    expect(monitor.feed(line(event)).events).toEqual([
      { type: "io-error", operation: "write", isDiskFull: true, reason: "No space left on device" },
    ]);
    const shutdown = { event: "SHUTDOWN", data: { guest: true, reason: "guest-reset" } };
    expect(monitor.feed(line(shutdown)).events).toEqual([{ type: "shutdown", reason: "guest-reset" }]);
  });

  it("sees a full disk by the reason or by the flag", () => {
    const isFull = (data: unknown) => new Monitor().feed(line({ event: "BLOCK_IO_ERROR", data })).events;
    for (const data of [
      { nospace: true, reason: "" },
      { reason: "No space left on device" },
      { reason: "Disc quota exceeded" },
    ]) {
      expect(isFull(data)).toMatchObject([{ isDiskFull: true }]);
    }
    expect(isFull({ nospace: false, reason: "Input/output error" })).toMatchObject([{ isDiskFull: false }]);
  });

  it("takes events without details, and what is no message", () => {
    const monitor = new Monitor();
    expect(
      monitor.feed(utf8('{"event":"BLOCK_IO_ERROR"}\n{"event":"SHUTDOWN","data":null}\n')).events,
    ).toEqual([
      { type: "io-error", operation: "write", isDiskFull: false, reason: "no reason is given" },
      { type: "shutdown", reason: "" },
    ]);
    expect(monitor.feed(utf8('nonsense\n[]\nnull\n3\n{"event":"RESUME"}\n{"return":{}}\n'))).toEqual({
      replies: [],
      events: [],
    });
  });
});

describe("the verdict", () => {
  const good: RunOutcome = {
    image: "disk.img",
    records: [
      { type: "init", release: "6.1" },
      { type: "start" },
      { type: "exit", code: 0 },
      { type: "unmounted" },
      { type: "bye" },
    ],
    events: [{ type: "shutdown", reason: "guest-shutdown" }],
    exit: { code: 0, signal: null },
    endedFor: undefined,
    timeoutSeconds: 900,
    memoryMiB: 512,
    panic: undefined,
    qemuMessages: "",
  };
  const ioError = {
    type: "io-error",
    operation: "read",
    isDiskFull: false,
    reason: "Input/output error",
  } as const;

  it("is good only when nothing at all is wrong", () => {
    expect(failureOf(good)).toBeUndefined();
    for (const missing of good.records) {
      if (missing.type === "init" || missing.type === "start") continue;
      expect(failureOf({ ...good, records: good.records.filter((record) => record !== missing) })?.code).toBe(
        "VM_NO_RESULT",
      );
    }
    expect(failureOf({ ...good, exit: { code: 1, signal: null } })?.code).toBe("VM_QEMU_FAILED");
    expect(failureOf({ ...good, exit: { code: null, signal: "SIGTERM" } })?.code).toBe("VM_QEMU_KILLED");
    expect(failureOf({ ...good, events: [ioError] })?.code).toBe("VM_IO_ERROR");
    expect(failureOf({ ...good, endedFor: "abort" })?.code).toBe("ABORTED");
    expect(failureOf({ ...good, endedFor: "timeout" })?.code).toBe("VM_TIMEOUT");
  });

  it("names the cause, not what follows from it", () => {
    const killed = { ...good, records: good.records.slice(0, 2), exit: { code: null, signal: "SIGKILL" } };
    expect(failureOf({ ...killed, events: [ioError] })?.code).toBe("VM_IO_ERROR");
    expect(failureOf({ ...killed, endedFor: "timeout" })?.code).toBe("VM_TIMEOUT");
    expect(failureOf({ ...killed, endedFor: "abort", events: [ioError] })?.code).toBe("ABORTED");
    expect(failureOf({ ...killed, panic: "attempted to kill init" })?.code).toBe("VM_PANIC");
    expect(failureOf({ ...good, panic: "only printed" })).toBeUndefined();
  });

  it("tells of a full disk before other errors of the host", () => {
    const failure = failureOf({
      ...good,
      events: [ioError, { ...ioError, operation: "write", isDiskFull: true }],
    });
    expect(failure?.message).toContain(
      "writing the image failed while the machine ran; the disk that holds it is full",
    );
  });

  it.each<[records: VmRecord[], place: string]>(
    [
      [[], "before its kernel had started"],
      [good.records.slice(0, 1), "while it mounted the image"],
      [good.records.slice(0, 2), "while the script ran"],
      [good.records.slice(0, 3), "while it unmounted the image"],
      [good.records.slice(0, 4), "while it shut down"],
    ].map(([records, place]) => [records as VmRecord[], place as string]),
  )("says how far the machine came: %#", (records, place) => {
    expect(failureOf({ ...good, records, endedFor: "timeout" })?.message).toContain(place);
  });
});
