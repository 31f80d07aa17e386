import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { runInImage, VmError, type VmOptions } from "../../src/vm/index.ts";
import { scratchDirectory } from "../support/referee.ts";
import { fakeBusybox, fakeQemu, monolithicKernel } from "../support/vm.ts";

const scratch = scratchDirectory();
const busybox = fakeBusybox(scratch);

function options(scenario: string, changes: Partial<VmOptions> = {}): VmOptions {
  return {
    image: "/images/disk.img",
    root: { partition: 2 },
    script: utf8("#!/bin/sh\n"),
    kernel: monolithicKernel(),
    busybox,
    qemu: fakeQemu(scratch, scenario),
    accelerator: "tcg",
    timeoutSeconds: 20,
    ...changes,
  };
}

/** The error that a run ends with. */
async function failure(scenario: string, changes: Partial<VmOptions> = {}): Promise<VmError> {
  const result = await runInImage(options(scenario, changes)).catch((error: unknown) => error);
  expect(result).toBeInstanceOf(VmError);
  return result as VmError;
}

// Runs keep their files in a place of their own, so that what they leave behind is seen.
const temporary = join(scratch, "temporary");
mkdirSync(temporary);
process.env.TMPDIR = temporary;
afterAll(() => expect(readdirSync(temporary)).toEqual([]));

describe("a run that succeeds", () => {
  it("gives back what the script printed, and nothing of what firmware did", async () => {
    const result = await runInImage(options("ok"));
    expect(result).toMatchObject({
      status: "done",
      exitCode: 0,
      output: "hello\nwithout an end",
      consoleTail: "SeaBIOS\nLinux version 6.1",
      kernel: "6.1.0-fake",
      accelerator: { accelerator: "tcg" },
    });
    const { timings } = result as Extract<typeof result, { status: "done" }>;
    expect(timings.kernel).toBeLessThanOrEqual(timings.scriptStart!);
    expect(timings.scriptStart).toBeLessThanOrEqual(timings.scriptEnd!);
    expect(timings.scriptEnd).toBeLessThanOrEqual(timings.total);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.concurrent.each(["shuts-down-itself", "talks-of-panic", "output-never-ends"])(
    "is one with %s",
    async (scenario) => {
      expect(await runInImage(options(scenario))).toMatchObject({
        status: "done",
        output: "hello\nwithout an end",
      });
    },
  );

  it("tells of output and console as they come, and logs the console", async () => {
    const parts: Record<"output" | "console", string> = { output: "", console: "" };
    const consoleLog = join(scratch, "console.log");
    await runInImage(
      options("ok", {
        consoleLog,
        onOutput: (bytes) => (parts.output += Buffer.from(bytes).toString()),
        onConsole: (bytes) => (parts.console += Buffer.from(bytes).toString()),
      }),
    );
    expect(parts).toEqual({ output: "hello\nwithout an end", console: "SeaBIOS\r\nLinux version 6.1\r\n" });
    expect(readFileSync(consoleLog, "latin1")).toBe(parts.console);
  });

  it("is not confused by noise, and keeps the end of long output", async () => {
    const result = await runInImage(options("noise"));
    expect(result).toMatchObject({ status: "done", output: "a".repeat(1024 * 1024) });
  });

  it("keeps the variables of the firmware only then", async () => {
    const configuration = join(scratch, "configuration");
    mkdirSync(join(configuration, "qemu/firmware"), { recursive: true });
    writeFileSync(join(scratch, "code.fd"), "code");
    writeFileSync(join(scratch, "template.fd"), "template");
    const descriptor = {
      "interface-types": ["uefi"],
      mapping: {
        device: "flash",
        executable: { filename: join(scratch, "code.fd"), format: "raw" },
        "nvram-template": { filename: join(scratch, "template.fd"), format: "raw" },
      },
      targets: [{ architecture: "x86_64", machines: ["pc-q35-*"] }],
      features: [],
    };
    writeFileSync(join(configuration, "qemu/firmware/00.json"), JSON.stringify(descriptor));
    const variables = join(scratch, "variables.fd");
    const before = process.env.XDG_CONFIG_HOME;
    process.env.XDG_CONFIG_HOME = configuration;
    try {
      await failure("exit-3", { efi: { variables } });
      expect(existsSync(variables)).toBe(false);
      await runInImage(options("ok", { efi: { variables } }));
      expect(readFileSync(variables, "latin1")).toBe("template");
    } finally {
      if (before === undefined) delete process.env.XDG_CONFIG_HOME;
      else process.env.XDG_CONFIG_HOME = before;
    }
  });
});

describe("a run that fails", () => {
  it.concurrent.each<[scenario: string, code: ErrorCode, message: RegExp]>([
    ["exit-3", "VM_SCRIPT_FAILED", /^the script ended with status 3\n/],
    ["not-found", "VM_SCRIPT_FAILED", /status 127: a command was not found in the image/],
    ["script-killed", "VM_SCRIPT_FAILED", /status 137: it was ended by signal 9/],
    ["exit-nonsense", "VM_NO_RESULT", /without a result/],
    ["panic", "VM_PANIC", /^the kernel gave up while the script ran: sysrq triggered .*crash; try/],
    ["stage-failed", "VM_STAGE_FAILED", /partition 2 cannot be mounted at \/ as ext4: Invalid argument/],
    ["disk-full-but-fine", "VM_IO_ERROR", /disk\.img: writing the image failed.*is full: make room there/],
    ["io-error-at-the-end", "VM_IO_ERROR", /Input\/output error: check the disk that holds it/],
    ["killed", "VM_QEMU_KILLED", /ended by the signal SIGKILL.*\(it had 512 MiB\)/],
    [
      "little-memory",
      "VM_NO_RESULT",
      /restarted before its kernel had started.*more memory \(it had 512 MiB\)/,
    ],
    ["powered-off", "VM_NO_RESULT", /stopped while the script ran.*must not shut the machine down/],
    ["not-unmounted", "VM_NOT_UNMOUNTED", /in use that could not be unmounted: \/mnt \/mnt\/boot;/],
    ["no-goodbye", "VM_NO_RESULT", /the image may be incomplete/],
    ["never-unmounted", "VM_NO_RESULT", /the image may be incomplete/],
    ["fails-at-the-end", "VM_QEMU_FAILED", /status 1 .*: qemu-system-x86_64: cannot flush/],
    ["bad-option", "VM_QEMU_FAILED", /check .* arguments\): qemu-system-x86_64: -nonsense: invalid option/],
  ])("by %s is %s", async (scenario, code, message) => {
    const error = await failure(scenario);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.path).toBe("/images/disk.img");
  });

  it("shows the end of the console, and of output that nobody has seen", async () => {
    const unseen = await failure("exit-3");
    expect(unseen.message).toContain("the console ended with:\n  | SeaBIOS\n  | Linux version 6.1");
    expect(unseen.message).toContain("the script's output ended with:\n  | hello\n  | without an end");
    expect(unseen.evidence).toMatchObject({ exitCode: 3, output: "hello\nwithout an end" });
    const seen = await failure("exit-3", { onOutput: () => {} });
    expect(seen.message).not.toContain("hello");
  });

  it("shows no more than 4 KiB of the console", async () => {
    const error = await failure("panic");
    expect(error.evidence.consoleTail.length).toBeLessThanOrEqual(4096);
    expect(error.message).not.toContain("\x1b");
  });

  it.each([
    ["hang", "while the script ran"],
    ["hang-before-kernel", "before its kernel had started"],
  ])("by a %s ends at the time limit", async (scenario, place) => {
    const error = await failure(scenario, { timeoutSeconds: 0.5 });
    expect(error.code).toBe("VM_TIMEOUT");
    expect(error.message).toContain(`ended after 0.5 seconds, ${place}`);
    expect(error.evidence.timings.total).toBeLessThan(5000);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("ends when the caller asks to, and leaves no process", async () => {
    const controller = new AbortController();
    const pidFile = join(scratch, "pid");
    const player = fakeQemu(scratch, "hang");
    const noting = join(scratch, "qemu-noting");
    writeFileSync(noting, `#!/bin/sh\necho $$ >"${pidFile}"\nexec "${player}" "$@"\n`, { mode: 0o755 });
    const run = failure("hang", { qemu: noting, signal: controller.signal });
    while (!existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10));
    controller.abort();
    expect((await run).code).toBe("ABORTED");
    expect(() => process.kill(Number(readFileSync(pidFile, "latin1")), 0)).toThrow(/ESRCH/);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("by a program that cannot be started names it", async () => {
    const qemu = join(scratch, "qemu-of-nobody");
    writeFileSync(qemu, "#!/nowhere/interpreter\n", { mode: 0o755 });
    await expect(runInImage(options("ok", { qemu }))).rejects.toMatchObject({
      code: "VM_QEMU_FAILED",
      path: qemu,
    });
  });

  it("does not start when the caller has asked to stop before", async () => {
    const error = await failure("hang", { signal: AbortSignal.abort() });
    expect(error.code).toBe("ABORTED");
  });

  it("by a callback of the caller gives back its error", async () => {
    const onOutput = (): never => {
      throw new Error("enough");
    };
    await expect(runInImage(options("ok", { onOutput }))).rejects.toThrow("enough");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("by a directory for its files that cannot be used names it", async () => {
    process.env.TMPDIR = join(scratch, "nowhere");
    try {
      await expect(runInImage(options("ok"))).rejects.toMatchObject({
        code: "OUTPUT",
        message: expect.stringMatching(
          /nowhere: the files of a virtual machine are kept there: no such file/,
        ),
      });
    } finally {
      process.env.TMPDIR = temporary;
    }
  });

  it("by a console log that cannot be written names it", async () => {
    const consoleLog = join(scratch, "nowhere/console.log");
    await expect(runInImage(options("ok", { consoleLog }))).rejects.toMatchObject({
      code: "OUTPUT",
      path: consoleLog,
    });
  });
});

describe("what is missing is told before anything is started", () => {
  const refused = (changes: Partial<VmOptions>) =>
    runInImage(options("ok", changes)).catch((error: unknown) => error);

  it("QEMU", async () => {
    const error = await refused({ qemu: join(scratch, "no-qemu") });
    expect(error).toMatchObject({ code: "VM_NO_QEMU" });
    expect((error as Error).message).toMatch(
      /no-qemu: is no program that can be run: install QEMU \(Debian.*qemu-system-x86/,
    );
  });

  it("busybox", async () => {
    writeFileSync(join(scratch, "script"), "#!/bin/sh\n");
    const missing = await refused({ busybox: join(scratch, "nothing") });
    expect(missing).toMatchObject({ code: "VM_NO_BUSYBOX" });
    expect((missing as Error).message).toMatch(/nothing: no such file or directory.*busybox-static/);
    const wrong = await refused({ busybox: join(scratch, "script") });
    expect((wrong as Error).message).toContain("script: is no program for x86-64 Linux");
  });

  it("modules", async () => {
    const error = await refused({ kernel: monolithicKernel(["virtio_blk", "ext4"]) });
    expect(error).toMatchObject({ code: "VM_NO_MODULE", problems: ["virtio_blk", "ext4"] });
    expect((error as Error).message).toMatch(
      /Linux 6\.1\.0-fake .* \/lib\/modules\/6\.1\.0-fake .*: virtio_blk, ext4:/,
    );
  });

  it("sense in the options, all at once", async () => {
    const error = await refused({
      root: { partition: -1, type: "ext4;reboot" },
      mounts: [{ partition: 1.5, path: "/boot/../etc", type: "vfat" }],
      links: [{ partition: 1, path: "/etc/passwd" }],
      environment: { "A B": "c", D: "\0" },
      memoryMiB: 0,
      cpus: 1000,
      timeoutSeconds: Number.NaN,
    });
    expect(error).toMatchObject({ code: "INVALID_SPEC" });
    expect((error as { problems: string[] }).problems).toHaveLength(10);
  });
});

describe("a dry run", () => {
  it("starts nothing, and tells the command", async () => {
    const result = await runInImage(options("bad-option", { dryRun: true }));
    expect(result.status).toBe("planned");
    expect(result.command.program).toBe(join(scratch, "qemu-bad-option"));
    expect(result.command.args).toContain("-initrd");
    expect(readdirSync(temporary)).toEqual([]);
  });
});
