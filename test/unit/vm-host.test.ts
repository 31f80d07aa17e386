import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  chooseAccelerator,
  examine,
  findFirmware,
  findProgram,
  findQemu,
  nativeAccelerator,
  probeAccelerator,
  type StartOptions,
  startImage,
} from "../../src/vm/index.ts";
import { firmwareStore, makeStore } from "../../src/vm/variables.ts";
import { scratchDirectory } from "../support/referee.ts";
import { fakeBusybox, fakeQemu } from "../support/vm.ts";

const scratch = scratchDirectory();
const temporary = join(scratch, "temporary");
mkdirSync(temporary);
process.env.TMPDIR = temporary;
afterAll(() => expect(readdirSync(temporary)).toEqual([]));

function failureOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing failed");
}

describe("programs", () => {
  it("are found in PATH", () => {
    fakeQemu(scratch, "ok");
    expect(findProgram("qemu-ok", { PATH: `/nowhere::${scratch}` })).toBe(join(scratch, "qemu-ok"));
    expect(findProgram("qemu-nothing", { PATH: scratch })).toBeUndefined();
    expect(findProgram("temporary", { PATH: scratch })).toBeUndefined();
  });

  it("that are named must be programs", () => {
    writeFileSync(join(scratch, "text"), "");
    expect(failureOf(() => findQemu(join(scratch, "text")))).toMatchObject({ code: "VM_NO_QEMU" });
    expect(findQemu(join(scratch, "qemu-ok"))).toBe(join(scratch, "qemu-ok"));
  });
});

describe("an accelerator", () => {
  // Where the file is missing, nothing is run to find out.
  const accelerator = "hvf";

  it("works when a machine ran with it", async () => {
    const probe = await probeAccelerator(accelerator, fakeQemu(scratch, "ok"));
    expect(probe).toEqual({ accelerator, works: true, reason: "" });
  });

  it.each([
    ["kvm-fails", /failed to initialize kvm: Permission denied/],
    ["kvm-aborts", /QEMU ended with SIGABRT/],
    ["kvm-hangs", /ran nothing within 3 seconds/],
  ])("does not work when it %s", async (scenario, reason) => {
    const probe = await probeAccelerator(accelerator, fakeQemu(scratch, scenario));
    expect(probe).toEqual({ accelerator, works: false, reason: expect.stringMatching(reason) });
  });

  it("that is asked for must work", async () => {
    await expect(chooseAccelerator("hvf", fakeQemu(scratch, "kvm-fails"))).rejects.toMatchObject({
      code: "VM_NO_ACCELERATOR",
      message: expect.stringContaining("hvf does not work here: qemu-system-x86_64: failed"),
    });
    expect(await chooseAccelerator("hvf", fakeQemu(scratch, "ok"))).toMatchObject({ accelerator: "hvf" });
    expect(await chooseAccelerator("tcg", "/nowhere")).toEqual({ accelerator: "tcg", probe: undefined });
  });

  it("is replaced by translation when it is not asked for, and the reason is kept", async () => {
    const { accelerator: chosen, probe } = await chooseAccelerator("auto", fakeQemu(scratch, "kvm-fails"));
    expect(chosen).toBe("tcg");
    expect(probe).toMatchObject({ accelerator: nativeAccelerator(), works: false });
    expect(probe?.reason).not.toBe("");
  });

  it("is not waited for when the caller asks to stop", async () => {
    const signal = AbortSignal.timeout(100);
    await expect(probeAccelerator(accelerator, fakeQemu(scratch, "kvm-hangs"), signal)).rejects.toMatchObject(
      {
        code: "ABORTED",
      },
    );
  });

  it("is that of the system", () => {
    expect(["linux", "darwin", "win32", "aix"].map(nativeAccelerator)).toEqual([
      "kvm",
      "hvf",
      "whpx",
      undefined,
    ]);
  });
});

describe("firmware", () => {
  let count = 0;

  /** A place for descriptors that is searched before all others. */
  function configuration(descriptors: Readonly<Record<string, unknown>>) {
    const home = join(scratch, `configuration-${count++}`);
    const directory = join(home, "qemu/firmware");
    mkdirSync(directory, { recursive: true });
    for (const [name, content] of Object.entries(descriptors)) {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      writeFileSync(join(directory, `${name}.json`), text);
    }
    return { PATH: "", HOME: scratch, XDG_CONFIG_HOME: home };
  }

  const file = (name: string, content = name): string => {
    const path = join(scratch, name);
    writeFileSync(path, content);
    return path;
  };

  function descriptor(
    code: string,
    {
      features = [],
      machine = "pc-q35-*",
      architecture = "x86_64",
      device = "flash",
      mode,
    }: {
      readonly features?: readonly string[];
      readonly machine?: string;
      readonly architecture?: string;
      readonly device?: string;
      readonly mode?: string;
    } = {},
  ) {
    return {
      description: "for tests",
      "interface-types": ["uefi"],
      mapping: {
        device,
        ...(mode === undefined ? {} : { mode }),
        executable: { filename: code, format: "raw" },
        "nvram-template": { filename: file("template"), format: "raw" },
      },
      targets: [{ architecture, machines: [machine] }],
      features,
      tags: [],
    };
  }

  it("is the first that fits, in the order of the descriptors' names", () => {
    const environment = configuration({
      "00-arm": descriptor(file("arm"), { architecture: "aarch64" }),
      "01-microvm": descriptor(file("microvm"), { machine: "microvm" }),
      "02-memory": descriptor(file("memory"), { device: "memory" }),
      "03-combined": descriptor(file("combined"), { mode: "combined" }),
      "04-missing": descriptor(join(scratch, "missing")),
      "05-broken": "{",
      "06-nonsense": { mapping: 3 },
      "07-empty": "",
      "08-signed": descriptor(file("signed"), { features: ["secure-boot", "enrolled-keys"] }),
      "09-good": descriptor(file("good")),
      "10-later": descriptor(file("later")),
    });
    expect(findFirmware({ environment })).toEqual({
      code: { path: join(scratch, "good"), format: "raw" },
      template: { path: join(scratch, "template"), format: "raw" },
      needsSmm: false,
      hasSecureBoot: false,
      origin: join(environment.XDG_CONFIG_HOME, "qemu/firmware/09-good.json"),
    });
  });

  it("takes only what is signed when that is wanted", () => {
    const features = ["secure-boot", "enrolled-keys", "requires-smm"];
    const environment = configuration({
      "00-plain": descriptor(file("plain")),
      "01-no-keys": descriptor(file("no-keys"), { features: ["secure-boot"] }),
      "02-signed": descriptor(file("signed"), { features }),
    });
    expect(findFirmware({ environment, secureBoot: true })).toMatchObject({
      code: { path: join(scratch, "signed") },
      needsSmm: true,
      hasSecureBoot: true,
    });
  });

  it("does without system management mode where it can", () => {
    const environment = configuration({
      "00-smm": descriptor(file("smm"), { features: ["requires-smm"] }),
      "01-plain": descriptor(file("plain")),
    });
    expect(findFirmware({ environment }).code.path).toBe(join(scratch, "plain"));
  });

  it("must be able to use the variables", () => {
    const environment = configuration({ "00-good": descriptor(file("good")) });
    const variables = file("variables", "12345678");
    expect(findFirmware({ environment, variables }).code.path).toBe(join(scratch, "good"));
    expect(findFirmware({ environment, variables: join(scratch, "new") }).code.path).toBe(
      join(scratch, "good"),
    );
    const error = failureOf(() => findFirmware({ environment, variables: file("others", "123") }));
    expect(error).toMatchObject({ code: "VM_NO_FIRMWARE" });
    expect(error.message).toMatch(/00-good\.json: its variables take 8 bytes, .*others has 3/);
    expect(error.message).toMatch(
      /UEFI firmware for x86-64 was not found: install it \(Debian, Ubuntu: ovmf;/,
    );
  });
});

describe("starting an image", () => {
  const start = (scenario: string, changes: Partial<StartOptions> = {}) =>
    startImage({
      image: "/images/disk.img",
      format: "raw",
      firmware: "bios",
      accelerator: "tcg",
      qemu: fakeQemu(scratch, scenario),
      ...changes,
    });

  it("gives back the status of QEMU", async () => {
    expect(await start("ok")).toMatchObject({ status: "ended", exitCode: 0 });
    expect(await start("exit-3")).toMatchObject({ status: "ended", exitCode: 3 });
  });

  it("tells when somebody ended it", async () => {
    await expect(start("killed")).rejects.toMatchObject({ code: "VM_QEMU_KILLED" });
    await expect(start("hang", { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await expect(start("hang", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("only tells the command in a dry run", async () => {
    const result = await start("killed", { dryRun: true, extraArguments: ["-nic", "user"] });
    expect(result).toMatchObject({ status: "planned", exitCode: undefined });
    expect(result.command.args.join(" ")).toMatch(/snapshot=on.* -nic user -fake|snapshot=on.* -nic user$/);
  });

  it("refuses impossible machines", async () => {
    await expect(start("ok", { memoryMiB: 0.5, cpus: 0 })).rejects.toMatchObject({
      code: "INVALID_SPEC",
      problems: [expect.stringContaining("0.5 MiB of memory"), expect.stringContaining("0 processors")],
    });
  });
});

describe("a store of variables", () => {
  const firmware = {
    code: { path: "/code", format: "raw" },
    template: { path: join(scratch, "template.fd"), format: "raw" },
    needsSmm: true,
    hasSecureBoot: false,
    origin: "a test",
  };
  writeFileSync(firmware.template.path, "template", { mode: 0o444 });

  it("starts as the template, and can be written", () => {
    const path = join(scratch, "store");
    const store = firmwareStore(firmware, join(scratch, "nothing"), path);
    expect(store.firmware).toEqual({
      code: firmware.code,
      needsSmm: true,
      variables: { path, format: "raw" },
    });
    makeStore(store);
    expect(readFileSync(path, "latin1")).toBe("template");
    expect(statSync(path).mode & 0o200).toBe(0o200);
  });

  it("starts as what was stored, in its format, and is left alone when it is that", () => {
    const stored = join(scratch, "stored");
    writeFileSync(stored, "QFI\u00fbrest", "latin1");
    const path = join(scratch, "copy");
    const store = firmwareStore(firmware, stored, path);
    expect(store.firmware.variables).toEqual({ path, format: "qcow2" });
    makeStore(store);
    expect(readFileSync(path)).toEqual(readFileSync(stored));
    makeStore(firmwareStore(firmware, stored, stored));
    expect(readFileSync(path)).toEqual(readFileSync(stored));
  });

  it("is told when it cannot be read or made", () => {
    expect(failureOf(() => firmwareStore(firmware, temporary, "/x"))).toMatchObject({
      code: "SOURCE_UNREADABLE",
      path: temporary,
    });
    const nowhere = join(scratch, "nowhere/store");
    expect(failureOf(() => makeStore(firmwareStore(firmware, undefined, nowhere)))).toMatchObject({
      code: "OUTPUT",
      path: nowhere,
    });
  });
});

describe("the examination of a host", () => {
  const works = ({ findings }: Awaited<ReturnType<typeof examine>>) =>
    Object.fromEntries(findings.map(({ name, works: does }) => [name, does]));

  it("tells what works", async () => {
    const report = await examine({ qemu: fakeQemu(scratch, "ok"), busybox: fakeBusybox(scratch) });
    expect(works(report)).toMatchObject({ qemu: true, busybox: true, tcg: true });
    expect(report.findings[0]!.detail).toBe(`${join(scratch, "qemu-ok")}: QEMU 9.9.9`);
    for (const { enables } of report.findings) expect(enables).not.toBe("");
  });

  it("tells what does not, and what to do", async () => {
    const report = await examine({ qemu: join(scratch, "nothing"), busybox: join(scratch, "nothing") });
    expect(works(report)).toMatchObject({ qemu: false, busybox: false, tcg: false });
    expect(report.findings[0]!.detail).toContain("install QEMU");
    const broken = await examine({ qemu: fakeQemu(scratch, "no-version") });
    expect(broken.findings[0]!.detail).toMatch(
      /does not tell its version \(.*cannot load a library\): install QEMU/,
    );
  });
});
