import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import { cpioArchive } from "../../src/vm/cpio.ts";
import {
  findKernel,
  hostFiles,
  type Kernel,
  runInImage,
  type VmError,
  type VmOptions,
} from "../../src/vm/index.ts";
import { diskwright } from "../support/cli.ts";
import { copyPart, expectCleanExt4, expectCleanGpt } from "../support/judges.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, run, saveImage, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();

/** The clock of a guest may be ahead of the host's, and e2fsck minds what was written in the future. */
function expectCleanGuest(path: string): void {
  expectCleanExt4(path, Math.floor(Date.now() / 1000) + 86_400);
}

describeWith(["bsdtar"], "the archive that a kernel starts from, by libarchive", () => {
  it("holds what it should", () => {
    const archive = cpioArchive([
      { path: "dev", type: "directory" },
      { path: "dev/console", type: "device", major: 5, minor: 1 },
      { path: "init", type: "file", mode: 0o755, bytes: utf8("hello") },
      { path: "sh", type: "symlink", target: "init" },
    ]);
    const path = saveImage(scratch, "archive.cpio", archive);
    const { stdout, stderr, status } = run("bsdtar", ["--numeric-owner", "-tvf", path]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+/g, " ").replace(/Jan 1 1970 ?/, ""));
    expect(lines).toEqual([
      "drwxr-xr-x 2 0 0 0 dev",
      "crw------- 1 0 0 5,1 dev/console",
      "-rwxr-xr-x 1 0 0 5 init",
      "lrwxrwxrwx 1 0 0 4 sh -> init",
    ]);
    expect(run("bsdtar", ["-xOf", path, "init"]).stdout).toBe("hello");
  });
});

const files = cloudKernel();

// Translation needs no help of the host, so it is what every host can be judged by.
describeWith(
  [
    "qemu-system-x86_64",
    "busybox",
    "e2fsck",
    "debugfs",
    "sgdisk",
    "parted",
    ...(files === undefined ? ["a-kernel-of-debian"] : []),
  ],
  "a script in an image, by QEMU",
  () => {
    const original = join(scratch, "original.img");
    const image = join(scratch, "disk.img");
    let kernel: Kernel;
    const limit = 120;
    const pidFile = join(scratch, "pid");
    /** QEMU, with its number in a file. */
    const noting = join(scratch, "qemu");

    function qemuPid(): number {
      const pid = Number(readFileSync(pidFile, "latin1"));
      expect(pid).toBeGreaterThan(1);
      return pid;
    }

    beforeAll(async () => {
      const tree = join(scratch, "tree");
      for (const name of ["bin", "boot", "dev", "etc", "proc", "root", "sbin"])
        mkdirSync(join(tree, name), { recursive: true });
      copyFileSync("/usr/bin/busybox", join(tree, "bin/busybox"));
      for (const name of [
        "sh",
        "ls",
        "cat",
        "dd",
        "sleep",
        "mount",
        "mkdir",
        "env",
        "readlink",
        "chmod",
        "sync",
      ]) {
        symlinkSync("busybox", join(tree, "bin", name));
      }
      const init = [
        "#!/bin/busybox sh",
        "/bin/busybox mount -t devtmpfs none /dev",
        "/bin/busybox mount -t proc none /proc",
        'echo "started: $(/bin/busybox cat /proc/cmdline)" >/dev/ttyS0',
        "echo yes >/root/started",
        "/bin/busybox sync",
        "/bin/busybox mount -o remount,ro /",
        "/bin/busybox poweroff -f",
        "",
      ];
      writeFileSync(join(tree, "sbin/init"), init.join("\n"), { mode: 0o755 });
      const args = [
        "build",
        "--root",
        tree,
        "--layout",
        "efi",
        "--additional-space",
        "24M",
        "--boot-size",
        "40M",
      ];
      const { status, stderr } = diskwright([...args, "--xattrs", "none", "-o", original]);
      expect(status, stderr).toBe(0);
      kernel = await findKernel(hostFiles(files!.root));
      const text = `#!/bin/sh\necho $$ >"${pidFile}"\nexec qemu-system-x86_64 "$@"\n`;
      writeFileSync(noting, text, { mode: 0o755 });
    });

    /** Runs a script in a fresh copy of the image. */
    async function runScript(script: string, changes: Partial<VmOptions> = {}) {
      copyFileSync(original, image);
      const result = await runInImage({
        image,
        root: { partition: 2 },
        mounts: [{ partition: 1, path: "/boot", type: "vfat" }],
        script: utf8(script),
        kernel,
        accelerator: "tcg",
        timeoutSeconds: limit,
        ...changes,
      });
      return result as Extract<typeof result, { readonly status: "done" }>;
    }

    async function failure(script: string, changes: Partial<VmOptions> = {}): Promise<VmError> {
      return await runScript(script, changes).then(
        () => expect.fail("the run should have failed"),
        (error: VmError) => error,
      );
    }

    /** The root filesystem, in a file of its own. */
    async function rootFilesystem(): Promise<string> {
      const [, first, last] = /^ +2 +(\d+) +(\d+)/m.exec(run("sgdisk", ["-p", image]).stdout)!;
      const path = join(scratch, "root.ext4");
      await copyPart(image, Number(first) * 512, (Number(last) - Number(first) + 1) * 512, path);
      return path;
    }

    it("succeeds, and leaves a sound image with what it wrote and nothing else", async () => {
      const result = await runScript(
        `#!/bin/sh
echo "to the ESP" >/boot/file
echo "$0 $SOURCE_DATE_EPOCH $PATH" >/root/file
ls -l /dev/disk/by-uuid/1234 /dev/sda >/root/links
cat /proc/mounts >/root/mounts
echo "to the console" >/dev/console
ls -d /run /tmp /dev/pts/ptmx /sys/block/vda
printf 'no end of line'`,
        {
          links: [
            { path: "/dev/disk/by-uuid/1234", partition: 2 },
            { path: "/dev/sda", partition: 0 },
          ],
          environment: { SOURCE_DATE_EPOCH: "1700000000" },
          time: 1_700_000_000,
          consoleLog: join(scratch, "console.log"),
        },
      );
      expect(result.output).toBe("/dev/pts/ptmx\n/run\n/sys/block/vda\n/tmp\nno end of line");
      expect(readFileSync(join(scratch, "console.log"), "latin1")).toContain("to the console\r\n");
      expectCleanGpt(image);
      const root = await rootFilesystem();
      expectCleanGuest(root);
      const debugfs = (command: string): string => run("debugfs", ["-R", command, root]).stdout;
      expect(debugfs("cat /root/file")).toBe(
        "/run/diskwright/script 1700000000 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
      );
      expect(debugfs("cat /root/links")).toMatch(/1234 -> \/dev\/vda2\n.*sda -> \/dev\/vda\n$/);
      expect(debugfs("cat /root/mounts")).toMatch(/^\/dev\/vda1 \/boot vfat rw/m);
      const names = debugfs("ls -p /")
        .split("\n")
        .flatMap((line) => line.split("/")[5] ?? []);
      expect(names.sort()).toEqual([
        ".",
        "..",
        "bin",
        "boot",
        "dev",
        "etc",
        "lost+found",
        "proc",
        "root",
        "sbin",
      ]);
      // The clock of the machine is the one that was asked for.
      expect(debugfs("stat /root/file")).toMatch(/mtime: .* Tue Nov 14 /);
    });

    it("is told by its status", async () => {
      const error = await failure("echo to nobody >&2\nexit 3");
      expect(error).toMatchObject({
        code: "VM_SCRIPT_FAILED",
        evidence: { exitCode: 3, output: "to nobody\n" },
      });
      expectCleanGuest(await rootFilesystem());
    });

    it("is ended when it hangs", async () => {
      const error = await failure("sleep 1000", { timeoutSeconds: 10 });
      expect(error.code).toBe("VM_TIMEOUT");
      expect(error.evidence.timings.total).toBeLessThan(20_000);
    });

    it("is told when the kernel gives up", async () => {
      const error = await failure("echo c >/proc/sysrq-trigger");
      expect(error.code).toBe("VM_PANIC");
      expect(error.message).toContain("the kernel gave up while the script ran: sysrq triggered crash");
      expect(error.evidence.consoleTail).toContain("Call Trace");
    });

    it("sees when the image is full", async () => {
      const error = await failure("dd if=/dev/zero of=/big bs=1M");
      expect(error).toMatchObject({ code: "VM_SCRIPT_FAILED", evidence: { exitCode: 1 } });
      expect(error.message).toContain("No space left on device");
      expectCleanGuest(await rootFilesystem());
    });

    it("may leave programs, mounts, loops and swap behind", async () => {
      const script = `
sleep 5000 &
(trap '' TERM INT HUP; while :; do sleep 1; done) &
mkdir '/a b' /c /d
mount -t tmpfs none '/a b'
mount -o bind / /c
cd /root
dd if=/dev/zero of=/swap bs=1M count=4 2>/dev/null
chmod 600 /swap
busybox mkswap /swap >/dev/null && busybox swapon /swap || exit 1
echo done`;
      const result = await runScript(script);
      expect(result.output).toBe("done\n");
      expectCleanGuest(await rootFilesystem());
    });

    it("tells when somebody ends QEMU", async () => {
      let isRunning = true;
      const onOutput = (): void => {
        if (isRunning) process.kill(qemuPid(), "SIGKILL");
        isRunning = false;
      };
      const error = await failure("echo now\nsleep 1000", { onOutput, qemu: noting });
      expect(error).toMatchObject({ code: "VM_QEMU_KILLED" });
    });

    it("tells what cannot be mounted", async () => {
      const error = await failure("true", { root: { partition: 1 }, mounts: [] });
      expect(error.code).toBe("VM_STAGE_FAILED");
      expect(error.message).toMatch(/partition 1 cannot be mounted at \/ as ext4: .*Invalid argument/);
      expect(error.evidence.consoleTail).toMatch(/vda2/);
    });

    it("tells when the disk of the host is full, though the machine saw nothing of it", async () => {
      const mountPoint = mkdtempSync(join(scratch, "small-"));
      const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=20M", "none", mountPoint], {
        encoding: "utf8",
      });
      if (mount.status !== 0) {
        rmdirSync(mountPoint);
        // Only root may mount; the unprivileged are spared.
        expect(process.getuid?.()).not.toBe(0);
        return;
      }
      try {
        const small = join(mountPoint, "disk.img");
        const { status } = spawnSync("cp", ["--sparse=always", original, small]);
        expect(status).toBe(0);
        const error = await failure("dd if=/dev/urandom of=/big bs=1M count=20; sync; exit 0", {
          image: small,
        });
        expect(error.code).toBe("VM_IO_ERROR");
        expect(error.message).toContain(
          `${small}: writing the image failed while the machine ran; the disk that holds it is full`,
        );
      } finally {
        expect(run("umount", [mountPoint]).output).toBe("");
      }
    });

    it("runs in an image without a partition table, with its output on a serial line", async () => {
      const bare = join(scratch, "bare.img");
      copyFileSync(original, image);
      copyFileSync(await rootFilesystem(), bare);
      // A kernel that cannot do better, as far as is seen.
      const { modules } = kernel;
      const look: typeof modules.files.look = (path) =>
        path.includes("virtio_console") ? undefined : modules.files.look(path);
      const result = await runScript("printf 'a\\nb\\r\\n'; echo written >/etc/file", {
        image: bare,
        root: { partition: 0 },
        mounts: [],
        kernel: { ...kernel, modules: { ...modules, files: { look } } },
      });
      expect(result.command.args).toContain("chardev:output");
      expect(result.output).toBe("a\nb\r\n");
      expectCleanGuest(bare);
      expect(run("debugfs", ["-R", "cat /etc/file", bare]).stdout).toBe("written\n");
    });

    it("leaves no machine behind when its process is interrupted", async () => {
      const program = `
import { findKernel, hostFiles, runInImage } from ${JSON.stringify(join(import.meta.dirname, "../../dist/vm/index.js"))};
const controller = new AbortController();
process.once("SIGINT", () => controller.abort());
const kernel = await findKernel(hostFiles(${JSON.stringify(files!.root)}));
await runInImage({ image: ${JSON.stringify(image)}, root: { partition: 2 }, script: Buffer.from("echo now; sleep 1000"), kernel,
  qemu: ${JSON.stringify(noting)}, accelerator: "tcg", signal: controller.signal, onOutput: (bytes) => process.stdout.write(bytes) })
  .catch((error) => { process.stdout.write(error.code); process.exitCode = 130; });
`;
      copyFileSync(original, image);
      const temporary = join(scratch, "temporary");
      mkdirSync(temporary);
      writeFileSync(join(scratch, "program.mjs"), program);
      const child = spawn(process.execPath, [join(scratch, "program.mjs")], {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "pipe", "inherit"],
        timeout: 1000 * limit,
      });
      let said = "";
      child.stdout.on("data", (bytes) => {
        said += bytes;
        if (said === "now\n") child.kill("SIGINT");
      });
      const status = await new Promise((resolve) => child.on("close", resolve));
      expect(said).toBe("now\nABORTED");
      expect(status).toBe(130);
      expect(readdirSync(temporary)).toEqual([]);
      expect(() => process.kill(qemuPid(), 0)).toThrow(/ESRCH/);
    });

    it.each([false, true])("is started to be tried; changes are kept: %s", async (keepChanges) => {
      const options = {
        image,
        format: "raw",
        firmware: "bios",
        accelerator: "tcg",
        disk: "nvme",
        keepChanges,
        // What has no boot loader needs a kernel from outside.
        extraArguments: [
          ...["-no-reboot", "-kernel", files!.vmlinuz],
          ...["-append", "console=ttyS0 loglevel=3 root=/dev/nvme0n1p2 rw panic=-1"],
        ],
      };
      const program = `
import { startImage } from ${JSON.stringify(join(import.meta.dirname, "../../dist/vm/index.js"))};
const result = await startImage(${JSON.stringify(options)});
process.exitCode = result.exitCode;
`;
      copyFileSync(original, image);
      const before = readFileSync(image);
      writeFileSync(join(scratch, "start.mjs"), program);
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(scratch, "start.mjs")], {
        encoding: "latin1",
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 1000 * limit,
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      expect(stdout).toContain("started: console=ttyS0");
      expect(readFileSync(image).equals(before)).toBe(!keepChanges);
      const written = run("debugfs", ["-R", "cat /root/started", await rootFilesystem()]).stdout;
      expect(written).toBe(keepChanges ? "yes\n" : "");
    });

    const hasUefi = existsSync("/usr/share/OVMF/OVMF_CODE_4M.fd");
    it.skipIf(!hasUefi && process.env.CI !== "true")(
      "sets variables of UEFI that are there the next time",
      async () => {
        const variables = join(scratch, "variables.fd");
        const name = "/sys/firmware/efi/efivars/Diskwright-6e0f6e8c-3b0d-4a2e-9a55-0d9f5a7f7c10";
        await runScript(`printf '\\007\\0\\0\\0kept' >${name}`, { efi: { variables } });
        const { output } = await runScript(`cat ${name}`, { efi: { variables } });
        expect(output).toBe("\x07\0\0\0kept");
      },
    );
  },
);
