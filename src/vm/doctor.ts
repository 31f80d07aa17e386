import { nativeAccelerator, probeAccelerator } from "./accelerator.ts";
import { runProgram } from "./child.ts";
import { findFirmware } from "./firmware.ts";
import { QEMU_PACKAGES } from "./packages.ts";
import { type Environment, findBusybox, findQemu } from "./programs.ts";

/** Whether one thing works here. */
export interface DoctorFinding {
  readonly name: "qemu" | "busybox" | "uefi" | "secure-boot" | "kvm" | "hvf" | "whpx" | "tcg";
  readonly works: boolean;
  /** What was found (a path, a version), or why it does not work and what to do. */
  readonly detail: string;
  /** What it is good for. */
  readonly enables: string;
}

/** What of all that virtual machines use works here. */
export interface DoctorReport {
  readonly findings: readonly DoctorFinding[];
}

/** What {@link examine} can be told. */
export interface DoctorOptions {
  readonly qemu?: string | undefined;
  readonly busybox?: string | undefined;
  readonly environment?: Environment | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How long QEMU may take to tell its version. */
const VERSION_MILLISECONDS = 10_000;

const ENABLES = {
  qemu: "scripts that run inside an image (vm, --run-in-vm), and starting images to try them (run)",
  busybox: "scripts that run inside an image; without one on this host, the image must have one",
  uefi: "starting images by UEFI, and scripts that set its variables",
  "secure-boot": "starting images by UEFI that takes only what is signed",
  kvm: "virtual machines at full speed",
  hvf: "virtual machines at full speed",
  whpx: "virtual machines at full speed",
  tcg: "virtual machines that are some ten times slower, without any help of the system",
} as const;

/** Finds out what works here, by trying it. Nothing is installed or changed. */
export async function examine(options: DoctorOptions = {}): Promise<DoctorReport> {
  const { environment = process.env } = options;
  const findings: DoctorFinding[] = [];
  const note = (name: DoctorFinding["name"], works: boolean, detail: string): void =>
    void findings.push({ name, works, detail, enables: ENABLES[name] });
  const attempt = async (
    name: DoctorFinding["name"],
    find: () => string | Promise<string>,
  ): Promise<void> => {
    try {
      note(name, true, await find());
    } catch (error) {
      note(name, false, error instanceof Error ? error.message : String(error));
    }
  };

  let qemu: string | undefined;
  await attempt("qemu", async () => {
    const path = findQemu(options.qemu, environment);
    const version = await qemuVersion(path, options.signal);
    qemu = path;
    return `${path}: ${version}`;
  });
  await attempt("busybox", async () => (await findBusybox(options.busybox, undefined, environment)).path);
  await attempt("uefi", () => findFirmware({ qemu, environment }).code.path);
  await attempt("secure-boot", () => findFirmware({ qemu, environment, secureBoot: true }).code.path);
  for (const accelerator of [nativeAccelerator(), "tcg" as const]) {
    if (accelerator === undefined) continue;
    if (qemu === undefined) note(accelerator, false, "QEMU is missing");
    else {
      const { works, reason } = await probeAccelerator(accelerator, qemu, options.signal);
      note(accelerator, works, works ? "a machine ran with it" : reason);
    }
  }
  return { findings };
}

async function qemuVersion(path: string, signal: AbortSignal | undefined): Promise<string> {
  const { code, stdout, stderr, startError } = await runProgram(path, ["--version"], {
    milliseconds: VERSION_MILLISECONDS,
    signal,
  });
  const version = /version (\S+)/.exec(stdout)?.[1];
  if (code === 0 && version !== undefined) return `QEMU ${version}`;
  const why = startError?.message ?? (stderr.trim() || `status ${code}`);
  throw new Error(`${path}: does not tell its version (${why}): ${QEMU_PACKAGES}`);
}
