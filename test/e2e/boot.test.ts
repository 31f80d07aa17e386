import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { boot, hasFirmware, MARKER, stageFile, stageMiniSystem } from "../support/boot-machine.ts";
import { diskwright } from "../support/cli.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

// What boots here was made by the command line alone.

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const at = (name: string): string => join(scratch, name);

const SYSTEMD = "/usr/lib/systemd/boot/efi";
const GRUB = "/usr/lib/grub";
const hasFiles = process.env.CI === "true" || (existsSync(SYSTEMD) && existsSync(GRUB) && hasFirmware());
/** In CI it is there, or this throws. */
const kernel = hasFiles ? cloudKernel() : undefined;
const isReady = kernel !== undefined;

const common = [
  ...["--root", tree, "--owner", "0:0", "--xattrs", "none", "--additional-space", "8M", "--boot-size", "64M"],
  ...["--kernel-options", "console=ttyS0 loglevel=3 panic=-1", "--quiet"],
];

beforeAll(() => {
  mkdirSync(tree);
  stageMiniSystem(tree);
  if (kernel !== undefined) copyFileSync(kernel.vmlinuz, join(tree, "boot", basename(kernel.vmlinuz)));
});

function build(...options: string[]): void {
  const { status, stderr } = diskwright(["build", ...common, ...options]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
}

const loaders = {
  "systemd-boot": ["--bootloader", "systemd-boot", "--boot-files", SYSTEMD],
  "systemd-boot with unified kernels": [
    ...["--bootloader", "systemd-boot", "--unified-kernels", "--boot-files", SYSTEMD],
  ],
  "unified kernel": ["--bootloader", "unified-kernel", "--boot-files", SYSTEMD],
  GRUB: ["--bootloader", "grub", "--boot-files", GRUB, "--serial-console", "--boot-timeout", "0"],
} as const;

interface Case {
  readonly loader: keyof typeof loaders;
  readonly layout: string;
  readonly firmware: "bios" | "uefi";
}

const CASES: readonly Case[] = [
  { loader: "systemd-boot", layout: "efi", firmware: "uefi" },
  { loader: "systemd-boot", layout: "efixbootldr", firmware: "uefi" },
  { loader: "systemd-boot", layout: "hybrid", firmware: "uefi" },
  { loader: "systemd-boot with unified kernels", layout: "efixbootldr", firmware: "uefi" },
  { loader: "unified kernel", layout: "efi", firmware: "uefi" },
  { loader: "GRUB", layout: "legacy", firmware: "bios" },
  { loader: "GRUB", layout: "legacy+gpt", firmware: "bios" },
  { loader: "GRUB", layout: "hybrid", firmware: "bios" },
];

describeWith(["qemu-system-x86_64", "busybox"], "an image with a boot loader", () => {
  it.runIf(isReady).each(CASES)(
    "$loader: $layout boots, raw and qcow2",
    async ({ loader, layout, firmware }) => {
      const [raw, qcow2] = [at("disk.img"), at("disk.qcow2")];
      build("--layout", layout, ...loaders[loader], "-o", raw, "-o", qcow2);
      const [first, second] = await Promise.all([
        boot(raw, at(""), { firmware }),
        boot(qcow2, at("tree"), { firmware, format: "qcow2" }),
      ]);
      for (const said of [first, second])
        expect(said).toMatch(new RegExp(`${MARKER}: .*root=PARTUUID=\\S+ .*console=ttyS0`));
    },
  );

  it.runIf(isReady)(
    "is started by a variable that was written for it, with no fallback on the disk",
    async () => {
      const [raw, variables] = [at("variable.img"), at("written.fd")];
      build("--layout", "efi", ...loaders["systemd-boot"], "--efi-vars", variables, "-o", raw);
      expect(run("mdel", ["-i", `${raw}@@8M`, "::/EFI/BOOT/BOOTX64.EFI"]).output).toBe("");
      expect(await boot(raw, scratch, { firmware: "uefi", variables })).toContain(`${MARKER}: `);
    },
  );
});

describe("boot loaders that cannot be placed", () => {
  it.each([
    [
      ["--layout", "efi", "--bootloader", "systemd-boot"],
      /the tree has no systemd-boot: looked for .*--boot-files/,
    ],
    [["--layout", "legacy", "--bootloader", "systemd-boot"], /needs an EFI system partition/],
    [["--layout", "none", "--bootloader", "grub"], /the layout has no place for it/],
    [
      ["--layout", "legacy", "--bootloader", "grub"],
      /GRUB for the BIOS is not there|nothing that GRUB could start/,
    ],
    [
      ["--layout", "efi", "--efi-vars", "x.fd", "--efi-vars-from", "/dev/null"],
      /no boot loader that they could name/,
    ],
    [["--bootloader", "lilo"], /lilo/],
  ])("%j", (options, message) => {
    const { stderr, status } = diskwright(["build", ...common, ...options, "-o", at("no.img")]);
    expect(stderr).toMatch(message);
    expect(status).not.toBe(0);
    expect(existsSync(at("no.img"))).toBe(false);
  });
});

describeWith(["qemu-system-x86_64", "busybox", "debugfs", "e2fsck"], "a script that runs inside", () => {
  const step = (): string[] => ["--kernel-from", kernel!.root, "--time", "1700000000"];
  const script = (text: string): string => {
    const path = at("script.sh");
    writeFileSync(path, `#!/bin/busybox sh\nset -e\nalias b=/bin/busybox\n${text}\n`);
    return path;
  };
  const work = [
    "/bin/busybox echo from inside",
    "/bin/busybox mkdir -p /var/lib/new; /bin/busybox head -c 3000000 /dev/urandom >/var/lib/new/gone",
    "/bin/busybox rm /var/lib/new/gone; /bin/busybox echo made >/var/lib/new/file",
    "/bin/busybox ln /var/lib/new/file /var/lib/new/link; /bin/busybox echo esp >/boot/from-inside.txt",
    '[ -b "$(/bin/busybox readlink -f /dev/disk/by-partuuid/*)" ] || /bin/busybox ls -l /dev/disk/by-partuuid',
  ].join("\n");

  it.runIf(isReady)("changes the image, which has the same bytes each time, and boots", async () => {
    const images = ["first.img", "second.img"].map(at);
    for (const image of images) {
      const options = ["--layout", "efi", ...loaders["systemd-boot"], "--run-in-vm", script(work), ...step()];
      build(...options, "-o", image);
    }
    const [first, second] = images.map((image) => readFileSync(image));
    expect(first!.equals(second!)).toBe(true);
    expect(run("mtype", ["-i", `${images[0]}@@8M`, "::/from-inside.txt"]).stdout).toBe("esp\n");
    const root = at("root.ext4");
    spawnSync("dd", [`if=${images[0]}`, `of=${root}`, "bs=1M", "skip=72", "conv=sparse", "status=none"]);
    expect(run("e2fsck", ["-fn", root]).status).toBe(0);
    expect(run("debugfs", ["-R", "cat /var/lib/new/link", root]).stdout).toBe("made\n");
    expect(await boot(images[0]!, scratch, { firmware: "uefi" })).toContain(`${MARKER}: `);
  });

  it.runIf(isReady)("that fails leaves the older output as it is, and nothing else", () => {
    const output = at("kept.img");
    writeFileSync(output, "old");
    const before = readdirSync(scratch);
    const options = ["--layout", "efi", "--run-in-vm", script("/bin/busybox echo oh; exit 3"), ...step()];
    const { stderr, status } = diskwright(["build", ...common, ...options, "-o", output]);
    expect(stderr).toMatch(/the script ended with status 3/);
    expect(status).toBe(1);
    expect(readFileSync(output, "utf8")).toBe("old");
    expect(readdirSync(scratch).filter((name) => !before.includes(name) && name !== "script.sh")).toEqual([]);
  });

  it.runIf(isReady)(
    "works on an image that is there, and prints its command line when that is asked for",
    () => {
      const [image, changed] = [at("there.qcow2"), at("changed.vdi")];
      build("--layout", "efi", "-o", image);
      const dry = diskwright(["vm", image, "--script", script("exit 1"), ...step(), "--dry-run"]);
      expect(dry.stdout).toMatch(/^\S*qemu-system-x86_64 .*-kernel /);
      const { stdout, stderr, status } = diskwright([
        ...["vm", image, "--script", script("/bin/busybox echo hello; /bin/busybox echo x >/x")],
        ...[...step(), "-q", "-o", changed],
      ]);
      expect(stderr).toBe("");
      expect(stdout).toBe("hello\n");
      expect(status).toBe(0);
      expect(diskwright(["convert", changed, at("changed.img"), "-q"]).status).toBe(0);
      spawnSync("dd", [`if=${at("changed.img")}`, `of=${at("x.ext4")}`, "bs=1M", "skip=72", "status=none"]);
      expect(run("debugfs", ["-R", "cat /x", at("x.ext4")]).stdout).toBe("x\n");
    },
  );

  const hasUefi = existsSync("/usr/share/OVMF/OVMF_CODE_4M.fd");
  it.runIf(isReady && (hasUefi || process.env.CI === "true"))(
    "sets variables of UEFI, which are kept with the image, on a disk with sectors of 4 KiB too",
    () => {
      const [image, variables, again] = [at("uefi.img"), at("uefi.fd"), at("again.img")];
      const file = "/sys/firmware/efi/efivars/Diskwright-6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10";
      const sector = "/sys/block/vda/queue/logical_block_size";
      const set = `printf '\\007\\0\\0\\0kept' >${file}; /bin/busybox cp ${sector} /sector-size`;
      const uefi = ["--firmware", "uefi", "--efi-vars", variables, ...step()];
      const layout = ["--layout", "efi", "--boot-size", "260M", "--sector-size", "4096"];
      build(...layout, ...loaders["systemd-boot"], "--run-in-vm", script(set), ...uefi, "-o", image);
      // Its entry for the boot loader, and the variable of the script.
      const store = readFileSync(variables);
      for (const text of ["Diskwright", "Linux Boot Manager"]) {
        expect(store.includes(Buffer.from(text, "utf16le"))).toBe(true);
      }
      const read = script(`/bin/busybox cat /sector-size; /bin/busybox tail -c 4 ${file}`);
      const { stdout, stderr } = diskwright(["vm", image, "--script", read, ...uefi, "-q", "-o", again]);
      expect(stderr).toBe("");
      expect(stdout).toBe("4096\nkept");

      // A machine that is ended leaves the variables as they were.
      const before = readFileSync(variables);
      const short = ["--vm-timeout", "1", "-q", "-o", again];
      expect(diskwright(["vm", image, "--script", read, ...uefi, ...short]).status).toBe(1);
      expect(readFileSync(variables).equals(before)).toBe(true);
    },
  );

  it.runIf(isReady)("has a BIOS or UEFI as it is asked for", () => {
    const image = at("firmware.img");
    build("--layout", "efi", "-o", image);
    const dry = (...options: string[]) =>
      diskwright(["vm", image, "--script", script(""), ...step(), "--dry-run", ...options]);
    expect(dry().stdout).not.toContain("pflash0");
    expect(dry("--firmware", "bios", "--efi-vars", at("x.fd")).stderr).toContain("a BIOS has no variables");
    if (!hasUefi) return;
    const lost = dry("--firmware", "uefi");
    expect(lost.stdout).toContain("pflash0");
    expect(lost.stderr).toContain("variables of UEFI is lost");
    const kept = dry("--efi-vars", at("x.fd"));
    expect(kept.stdout).toContain("pflash0");
    expect(kept.stderr).toBe("");
    expect(existsSync(at("x.fd"))).toBe(false);
  });

  it.runIf(isReady)("is not run without QEMU, and the message says what to install", () => {
    const options = ["--run-in-vm", script(""), ...step(), "--qemu", "/nowhere/qemu", "-o", at("none.img")];
    const { stderr, status } = diskwright(["build", ...common, ...options]);
    expect(stderr).toMatch(/qemu/i);
    expect(status).toBe(1);
    expect(existsSync(at("none.img"))).toBe(false);
  });
});

describe("a command that is run afterwards", () => {
  it("is told of the image", () => {
    stageFile(tree, "etc/hostname", "box\n");
    const after = `test -s "$diskImage" && echo "$diskImage" >${at("after.txt")}`;
    build("--layout", "none", "--after", after, "-o", at("after.img"));
    expect(readFileSync(at("after.txt"), "utf8")).toBe(`${at("after.img")}\n`);
    const { stderr, status } = diskwright([
      ...["build", ...common, "--layout", "none", "--after", "exit 7", "-o", at("after.img")],
    ]);
    expect(stderr).toMatch(/failed \(status 7\); the image is there/);
    expect(status).toBe(1);
  });
});

describeWith(["qemu-system-x86_64"], "doctor", () => {
  it("says what works here", () => {
    const { stdout, status } = diskwright(["doctor", "--json"]);
    expect(status).toBe(0);
    const { findings } = JSON.parse(stdout) as { findings: { name: string; works: boolean }[] };
    expect(findings.find(({ name }) => name === "qemu")?.works).toBe(true);
    expect(findings.find(({ name }) => name === "tcg")?.works).toBe(true);
    expect(diskwright(["doctor"]).stdout).toMatch(/^yes {2}qemu/m);
  });
});
