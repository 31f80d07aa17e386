import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A kernel that is small, and has drivers for NVMe, ext4 and the serial line in it: Debian's for clouds. */
const KERNEL_PACKAGE = "linux-image-cloud-amd64";

/** What tests say on the serial line when they got where they should. */
export const MARKER = "diskwright-was-here";

/**
 * A kernel for tests that boot: the file that `DISKWRIGHT_TEST_KERNEL` names; in CI, one that is fetched as a package
 * of Debian. `undefined` when there is none.
 */
export function testKernel(): string | undefined {
  const named = process.env.DISKWRIGHT_TEST_KERNEL;
  if (named !== undefined || process.env.CI !== "true") return named;
  const directory = join(tmpdir(), "diskwright-test-kernel");
  const boot = join(directory, "boot");
  if (!existsSync(boot)) {
    mkdirSync(directory, { recursive: true });
    const depends = `$(apt-cache depends --important ${KERNEL_PACKAGE} | sed -n 's/^ *Depends: *//p' | head -n 1)`;
    const script = `set -e; apt-get download -qq "${depends}"; dpkg-deb -x linux-image-*.deb .; rm linux-image-*.deb`;
    spawnSync("sh", ["-c", script], { cwd: directory, stdio: "inherit" });
  }
  const name = readdirSync(boot).find((file) => file.startsWith("vmlinuz-"));
  return name && join(boot, name);
}

/** Where Debian has the firmware for UEFI. */
const FIRMWARE = "/usr/share/OVMF";

/** Whether firmware for UEFI is there. */
export function hasFirmware(): boolean {
  return existsSync(join(FIRMWARE, "OVMF_CODE_4M.fd"));
}

/** Puts a file into a staged directory. */
export function stageFile(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** The smallest system that says what it was started with: busybox, and an init that powers off. */
export function stageMiniSystem(root: string): void {
  for (const directory of ["bin", "dev", "proc", "sbin", "sys", "boot"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  copyFileSync("/usr/bin/busybox", join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  const init = [
    "#!/bin/busybox sh",
    "/bin/busybox mount -t devtmpfs none /dev",
    "/bin/busybox mount -t proc none /proc",
    `echo "${MARKER}: $(/bin/busybox cat /proc/cmdline)" >/dev/ttyS0`,
    "/bin/busybox poweroff -f",
    "",
  ];
  stageFile(root, "sbin/init", init.join("\n"), 0o755);
}

/**
 * Starts an image under UEFI firmware without variables of its own, and gives back what the serial line said until
 * the machine was off.
 */
export async function bootUefi(image: string, scratch: string, seconds = 120): Promise<string> {
  const variables = join(scratch, "variables.fd");
  copyFileSync(join(FIRMWARE, "OVMF_VARS_4M.fd"), variables);
  const pflash = (unit: number, file: string, rest = "") =>
    `if=pflash,format=raw,unit=${unit},file=${file}${rest}`;
  const args = [
    [
      "-machine",
      "q35,smm=off,vmport=off",
      "-accel",
      "tcg,thread=multi",
      "-cpu",
      "max",
      "-smp",
      "1",
      "-m",
      "512",
    ],
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-drive", pflash(0, join(FIRMWARE, "OVMF_CODE_4M.fd"), ",readonly=on"), "-drive", pflash(1, variables)],
    ["-drive", `if=none,id=disk,file=${image},format=raw,cache=unsafe,snapshot=on`],
    ["-device", "nvme,drive=disk,serial=diskwright,bootindex=0", "-device", "virtio-rng-pci"],
    ["-chardev", "stdio,id=console", "-serial", "chardev:console"],
  ].flat();
  const machine = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "pipe"] });
  const limit = setTimeout(() => machine.kill("SIGKILL"), 1000 * seconds);
  let said = "";
  machine.stdout.setEncoding("latin1").on("data", (text) => (said += text));
  machine.stderr.setEncoding("latin1").on("data", (text) => (said += text));
  await new Promise<void>((resolve, reject) => machine.on("close", () => resolve()).on("error", reject));
  clearTimeout(limit);
  return said;
}
