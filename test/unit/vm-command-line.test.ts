import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  type StartMachine,
  type StepMachine,
  startArguments,
  stepArguments,
} from "../../src/vm/command-line.ts";
import { cpioArchive } from "../../src/vm/cpio.ts";
import { type InitPlan, initScript } from "../../src/vm/init-script.ts";
import { initramfs } from "../../src/vm/initramfs.ts";

const step: StepMachine = {
  sectorSize: 512,
  accelerator: "tcg",
  memoryMiB: 512,
  cpus: 1,
  firmware: undefined,
  extraArguments: [],
  image: "/images/a,b.img",
  kernel: "/k",
  initramfs: "/i",
  output: "virtio",
  time: undefined,
};

const firmware = {
  code: { path: "/code.fd", format: "raw" },
  variables: { path: "/variables.qcow2", format: "qcow2" },
  needsSmm: true,
};

describe("the command line of a step", () => {
  it("has the machine, the image, and the descriptors", () => {
    expect(stepArguments(step)).toMatchInlineSnapshot(`
      [
        "-nodefaults",
        "-no-user-config",
        "-machine",
        "pc",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "1",
        "-m",
        "512",
        "-display",
        "none",
        "-no-reboot",
        "-S",
        "-kernel",
        "/k",
        "-initrd",
        "/i",
        "-append",
        "console=ttyS0 loglevel=4 panic=-1 oops=panic random.trust_cpu=on mitigations=off 8250.nr_uarts=4",
        "-blockdev",
        "{"driver":"raw","node-name":"disk","discard":"unmap","cache":{"direct":false,"no-flush":true},"file":{"driver":"file","filename":"/images/a,b.img","discard":"unmap"}}",
        "-device",
        "virtio-blk-pci,drive=disk,serial=diskwright,werror=report,rerror=report",
        "-device",
        "virtio-rng-pci",
        "-rtc",
        "base=utc,clock=vm",
        "-chardev",
        "socket,id=console,fd=3",
        "-chardev",
        "socket,id=output,fd=4",
        "-chardev",
        "socket,id=control,fd=5",
        "-chardev",
        "socket,id=monitor,fd=6",
        "-serial",
        "chardev:console",
        "-serial",
        "null",
        "-serial",
        "chardev:control",
        "-device",
        "virtio-serial-pci",
        "-device",
        "virtserialport,chardev=output,name=diskwright.output",
        "-mon",
        "chardev=monitor,mode=control",
      ]
    `);
  });

  it("has the output on a serial line where the kernel has no better one", () => {
    const args = stepArguments({ ...step, output: "serial" });
    expect(args.filter((arg) => /chardev:|virtio-serial|virtserial/.test(arg))).toEqual([
      "chardev:console",
      "chardev:output",
      "chardev:control",
    ]);
  });

  it("has firmware, its variables and system management mode", () => {
    const args = stepArguments({ ...step, firmware, accelerator: "kvm", memoryMiB: 2048, cpus: 4 });
    expect(args.slice(0, args.indexOf("-display"))).toMatchInlineSnapshot(`
      [
        "-nodefaults",
        "-no-user-config",
        "-machine",
        "q35,smm=on,vmport=off,pflash0=code,pflash1=variables",
        "-accel",
        "kvm",
        "-cpu",
        "max",
        "-smp",
        "4",
        "-m",
        "2048",
        "-blockdev",
        "{"driver":"raw","node-name":"code","read-only":true,"file":{"driver":"file","filename":"/code.fd"}}",
        "-blockdev",
        "{"driver":"qcow2","node-name":"variables","read-only":false,"file":{"driver":"file","filename":"/variables.qcow2"}}",
        "-global",
        "driver=cfi.pflash01,property=secure,value=on",
      ]
    `);
    const plain = stepArguments({ ...step, firmware: { ...firmware, needsSmm: false } });
    expect(plain).toContain("q35,smm=off,vmport=off,pflash0=code,pflash1=variables");
    expect(plain).not.toContain("-global");
  });

  it("has the clock that is asked for, and extra arguments last", () => {
    const args = stepArguments({ ...step, time: 1_700_000_000, extraArguments: ["-m", "1G"] });
    expect(args).toContain("base=2023-11-14T22:13:20,clock=vm");
    expect(args.slice(-2)).toEqual(["-m", "1G"]);
  });
});

describe("the command line of a start", () => {
  const start: StartMachine = {
    sectorSize: 512,
    accelerator: "tcg",
    memoryMiB: 1024,
    cpus: 2,
    firmware: undefined,
    extraArguments: ["-nic", "user"],
    image: { path: "/images/a,b.qcow2", format: "qcow2" },
    keepChanges: false,
    disk: "virtio",
    display: "none",
  };

  it("attaches a disk with sectors of 4 KiB as one", () => {
    const sectors = ",logical_block_size=4096,physical_block_size=4096";
    const devices = (args: readonly string[]) => args.filter((arg) => arg.includes("drive=disk"));
    for (const disk of ["virtio", "nvme"] as const) {
      const [device] = devices(startArguments({ ...start, disk }));
      expect(devices(startArguments({ ...start, disk, sectorSize: 4096 }))).toEqual([device + sectors]);
    }
    const [device] = devices(stepArguments(step));
    expect(devices(stepArguments({ ...step, sectorSize: 4096 }))).toEqual([device + sectors]);
  });

  it("leaves the image as it is", () => {
    expect(startArguments(start)).toMatchInlineSnapshot(`
      [
        "-nodefaults",
        "-no-user-config",
        "-machine",
        "pc,graphics=off",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "1024",
        "-display",
        "none",
        "-drive",
        "if=none,id=disk,discard=unmap,format=qcow2,file.driver=file,file.filename=/images/a,,b.qcow2,snapshot=on,cache=unsafe",
        "-device",
        "virtio-blk-pci,drive=disk,serial=diskwright,bootindex=1",
        "-device",
        "virtio-rng-pci",
        "-chardev",
        "stdio,id=console,mux=on,signal=off",
        "-serial",
        "chardev:console",
        "-mon",
        "chardev=console,mode=readline",
        "-nic",
        "user",
      ]
    `);
  });

  it("keeps changes, has a window, and another disk when it is asked to", () => {
    const args = startArguments({ ...start, keepChanges: true, display: "window", disk: "nvme", firmware });
    expect(args.join(" ")).not.toMatch(/snapshot|cache=|graphics=off|-display/);
    expect(args).toContain("nvme,drive=disk,serial=diskwright,bootindex=1");
    expect(args).toContain("VGA");
    expect(args).toContain("q35,smm=on,vmport=off,pflash0=code,pflash1=variables");
  });
});

describe("the first program of a machine", () => {
  const plan: InitPlan = {
    nonce: "diskwright-1",
    modules: [
      { name: "virtio_blk", isRequired: true },
      { name: "virtio_rng", isRequired: false },
    ],
    root: { partition: 2, type: "ext4" },
    mounts: [{ partition: 1, path: "/boot/it's", type: "vfat" }],
    links: [{ partition: 0, path: "/dev/sda" }],
    command: ["/bin/sh", "/run/diskwright/script"],
    environment: { PATH: "/bin", TEXT: "it's $HOME `id`\n" },
    output: "serial",
  };

  it("is a script that shells can read", () => {
    for (const output of ["serial", "virtio"] as const) {
      const { status, stderr } = spawnSync("sh", ["-n"], {
        input: initScript({ ...plan, output }),
        encoding: "utf8",
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
    }
  });

  it("says what is loaded, mounted, linked and run", () => {
    const lines = initScript(plan).split("\n");
    expect(lines).toContain('insmod /mod/virtio_blk.ko || fail "the module virtio_blk cannot be loaded"');
    expect(lines).toContain("insmod /mod/virtio_rng.ko");
    expect(lines).toContain(`mount_part 2 'ext4' ""`);
    expect(lines).toContain(`mount_part 1 'vfat' '/boot/it'\\''s'`);
    expect(lines).toContain("link_part 0 '/dev/sda'");
    expect(lines.indexOf("mount_system tmpfs /tmp mode=1777")).toBeLessThan(lines.indexOf("say start"));
  });

  it("gives the script its environment, whatever is in it", () => {
    const line = initScript(plan).split("\nenv -i ")[1]!.split(" /bin/busybox chroot /mnt ")[0]!;
    const { stdout } = spawnSync("sh", ["-c", `env -i ${line} /usr/bin/env -0`], { encoding: "utf8" });
    expect(stdout.split("\0")).toEqual(["PATH=/bin", "TEXT=it's $HOME `id`\n", ""]);
  });

  it("has every command that it uses", () => {
    const archive = Buffer.from(
      initramfs({ init: "", busybox: new Uint8Array(1), modules: [], script: new Uint8Array(0) }),
    ).toString("latin1");
    const builtin = new Set([
      "echo",
      "exec",
      "export",
      "read",
      "return",
      "until",
      "while",
      "for",
      "if",
      "case",
      "do",
      "done",
      "then",
      "else",
      "fi",
      "esac",
    ]);
    const functions = [...initScript(plan).matchAll(/^(\w+)\(\) \{/gm)].map(([, name]) => name!);
    const text = initScript({ ...plan, output: "virtio" }).replaceAll(/#.*|\$\(\(.*?\)\)/g, "");
    const commands = [
      ...text.matchAll(/(?:^|[|&;(!{] ?|\b(?:do|then|else|until|while|if) )\s*([a-z_]+)(?= )/gm),
    ].map(([, name]) => name!);
    const unknown = commands.filter(
      (name) => !builtin.has(name) && !functions.includes(name) && !archive.includes(`bin/${name}\0`),
    );
    expect([...new Set(unknown)]).toEqual([]);
  });
});

describe("the archive that a kernel starts from", () => {
  it("has headers of hexadecimal digits, and parts on words", () => {
    const archive = Buffer.from(
      cpioArchive([
        { path: "dev", type: "directory" },
        { path: "dev/null", type: "device", major: 1, minor: 3 },
        { path: "init", type: "file", mode: 0o755, bytes: new Uint8Array([1, 2, 3, 4, 5]) },
        { path: "sh", type: "symlink", target: "init" },
      ]),
    ).toString("latin1");
    const header = (...numbers: number[]): string =>
      `070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`;
    expect(archive).toBe(
      [
        `${header(1, 0o40755, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 0)}dev\0\0\0`,
        `${header(2, 0o20600, 0, 0, 1, 0, 0, 0, 0, 1, 3, 9, 0)}dev/null\0\0`,
        `${header(3, 0o100755, 0, 0, 1, 0, 5, 0, 0, 0, 0, 5, 0)}init\0\0`,
        "\0\x01\x02\x03\x04\x05\0\0\0".slice(1),
        `${header(4, 0o120777, 0, 0, 1, 0, 4, 0, 0, 0, 0, 3, 0)}sh\0\0\0\0init`,
        `${header(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0)}TRAILER!!!\0\0\0\0`,
      ].join(""),
    );
  });
});
