#!/usr/bin/env node
// Plays QEMU: takes its options and its descriptors, and then does what `-fake NAME` says.
import { readFileSync, writeSync } from "node:fs";
import { Socket } from "node:net";

const args = process.argv.slice(2);
const behind = (option) => args[args.indexOf(option) + 1];
const scenario = args.includes("-fake") ? behind("-fake") : "ok";

function fail(message, status = 1) {
  writeSync(2, `qemu-system-x86_64: ${message}\n`);
  process.exit(status);
}

if (args.includes("--version")) {
  if (scenario === "no-version") fail("cannot load a library", 127);
  process.stdout.write("QEMU emulator version 9.9.9 (fake)\n");
} else if (args.includes("isa-debug-exit")) probe();
else if (args.includes("-no-reboot")) run();
else start();

/** An image that is started has nobody who listens to records. */
function start() {
  if (scenario === "hang") setInterval(() => {}, 1000);
  else if (scenario === "killed") process.kill(process.pid, "SIGKILL");
  else process.exit(scenario === "exit-3" ? 3 : 0);
}

function probe() {
  if (scenario === "kvm-hangs") setInterval(() => {}, 1000);
  else if (scenario === "kvm-fails") fail("failed to initialize kvm: Permission denied");
  else if (scenario === "kvm-aborts") process.kill(process.pid, "SIGABRT");
  else process.exit(33);
}

function run() {
  if (scenario === "bad-option") fail("-nonsense: invalid option");
  if (!args.includes("-S")) fail("the machine runs before anybody listens");
  const nonce = /nonce='([^']+)'/.exec(readFileSync(behind("-initrd"), "latin1"))[1];
  const opened = (fd) => new Socket({ fd, readable: true, writable: true });
  const [console, output, control, monitor] = [3, 4, 5, 6].map(opened);
  const send = (message) => monitor.write(`${JSON.stringify(message)}\r\n`);
  const event = (name, data) => send({ event: name, data, timestamp: { seconds: 1, microseconds: 2 } });
  const record = (text) => control.write(`${nonce} ${text}\r\n`);
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  /** What was written reaches the other side before the end. */
  const end = async (status = 0) => {
    await pause(30);
    process.exit(status);
  };
  const ioError = (isFull) =>
    event("BLOCK_IO_ERROR", {
      device: "",
      "node-name": "disk",
      operation: "write",
      action: "report",
      reason: isFull ? "No space left on device" : "Input/output error",
    });

  const begin = () => {
    console.write("SeaBIOS\r\nLinux version 6.1\r\n");
    // Firmware speaks on all lines.
    output.write("\x1b[2JBdsDxe: loading\r\n");
    control.write("BdsDxe: loading\r\nexit 0\r\n");
    record("init 6.1.0-fake");
  };
  const script = (code) => {
    begin();
    record("start");
    output.write(`${nonce} output\nhello\nwithout an end`);
    record(`exit ${code}`);
  };
  const finish = () => {
    record("unmounted");
    output.write(`${nonce} end\n`);
    record("bye");
  };
  let onQuit = () => process.exit(0);

  const scenarios = {
    ok: () => {
      script(0);
      finish();
    },
    "shuts-down-itself": async () => {
      onQuit = () => {};
      script(0);
      finish();
      event("SHUTDOWN", { guest: true, reason: "guest-shutdown" });
      await end();
    },
    "exit-3": () => {
      script(3);
      finish();
    },
    "not-found": () => {
      script(127);
      finish();
    },
    "script-killed": () => {
      script(137);
      finish();
    },
    "exit-nonsense": async () => {
      script("0x0");
      finish();
      await end();
    },
    hang: () => {
      begin();
      record("start");
      setInterval(() => {}, 1000);
    },
    "hang-before-kernel": () => void setInterval(() => {}, 1000),
    panic: async () => {
      begin();
      record("start");
      console.write(
        "[    1.0] Kernel panic - not syncing: sysrq triggered \x1b[31mcrash\r\n[    1.0] CPU: 0\r\n",
      );
      event("SHUTDOWN", { guest: true, reason: "guest-reset" });
      await end();
    },
    "talks-of-panic": () => {
      console.write("Kernel panic - not syncing: only a text\r\n");
      script(0);
      finish();
    },
    "stage-failed": () => {
      begin();
      record("stage-failed partition 2 cannot be mounted at / as ext4: Invalid argument");
      record("bye");
    },
    "disk-full-but-fine": async () => {
      script(0);
      ioError(true);
      finish();
      await end();
    },
    "io-error-at-the-end": async () => {
      onQuit = async () => {
        ioError(false);
        await end();
      };
      script(0);
      finish();
    },
    killed: async () => {
      begin();
      record("start");
      await pause(30);
      process.kill(process.pid, "SIGKILL");
    },
    "little-memory": async () => {
      event("SHUTDOWN", { guest: true, reason: "guest-reset" });
      await end();
    },
    "powered-off": async () => {
      begin();
      record("start");
      event("SHUTDOWN", { guest: true, reason: "guest-shutdown" });
      await end();
    },
    "not-unmounted": () => {
      script(0);
      record("unmount-failed /mnt /mnt/boot ");
      output.write(`${nonce} end\n`);
      record("bye");
    },
    "no-goodbye": async () => {
      script(0);
      record("unmounted");
      await end();
    },
    "never-unmounted": () => {
      script(0);
      output.write(`${nonce} end\n`);
      record("bye");
    },
    "fails-at-the-end": async () => {
      onQuit = () => fail("cannot flush");
      script(0);
      finish();
    },
    "output-never-ends": () => {
      script(0);
      record("unmounted");
      record("bye");
    },
    noise: async () => {
      control.write(Buffer.alloc(300_000, 0xff));
      console.write(Buffer.alloc(300_000, 0x1b));
      monitor.write("not JSON\n[1]\nnull\n{}\n");
      script(0);
      output.write(Buffer.alloc(2_000_000, 0x61));
      finish();
    },
  };

  let state = "greeting";
  send({ QMP: { version: {}, capabilities: [] } });
  let text = "";
  monitor.on("data", (bytes) => {
    text += bytes;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n")) {
      const { execute } = JSON.parse(text.slice(0, at));
      text = text.slice(at + 1);
      if (execute === "quit") return void onQuit();
      if (execute === "qmp_capabilities" && state === "greeting") state = "negotiated";
      else if (execute === "cont" && state === "negotiated") {
        state = "running";
        send({ return: {} });
        event("RESUME", {});
        void scenarios[scenario]();
        continue;
      } else fail(`${execute}: not now`);
      send({ return: {} });
    }
  });
}
