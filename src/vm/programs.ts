import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { DiskwrightError } from "../errors.ts";
import { reasonOf } from "../node/index.ts";
import { elfFile, MACHINE_X86_64 } from "./elf.ts";
import { BUSYBOX_PACKAGES, QEMU_PACKAGES } from "./packages.ts";
import { readFile, type SystemFiles } from "./system-files.ts";

/** The variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

const QEMU = "qemu-system-x86_64";

/** The file of a program that is looked for as a shell does it; `undefined` when there is none. */
export function findProgram(name: string, environment: Environment = process.env): string | undefined {
  const directories = (environment.PATH ?? environment.Path ?? "").split(delimiter);
  const file = process.platform === "win32" ? `${name}.exe` : name;
  return directories
    .filter((path) => path !== "")
    .map((directory) => join(directory, file))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Whatever the reason: it cannot be started.
    return false;
  }
}

/**
 * The program that runs virtual machines, found in PATH when it is not named.
 *
 * @throws DiskwrightError `VM_NO_QEMU`, with the packages that bring it.
 */
export function findQemu(named: string | undefined, environment: Environment = process.env): string {
  const found = named === undefined ? findProgram(QEMU, environment) : named;
  if (found === undefined) {
    throw new DiskwrightError("VM_NO_QEMU", `${QEMU} is not in PATH: ${QEMU_PACKAGES}`);
  }
  if (!isProgram(found)) {
    throw new DiskwrightError("VM_NO_QEMU", `${found}: is no program that can be run: ${QEMU_PACKAGES}`, {
      path: found,
    });
  }
  return found;
}

/** A program with the commands that the machine needs before the image's own can be used. */
export interface Busybox {
  /** Where it was found, for messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const BUSYBOX_NAMES = ["busybox", "busybox.static", "busybox-static"];
const BUSYBOX_DIRECTORIES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/**
 * A busybox for the machine: the one that is named, one of this host, or one of the image. It must be for x86-64 and
 * need no libraries.
 *
 * @throws DiskwrightError `VM_NO_BUSYBOX`, with all that was tried and the packages that bring one.
 */
export async function findBusybox(
  named: string | undefined,
  image: SystemFiles | undefined,
  environment: Environment = process.env,
): Promise<Busybox> {
  const problems: string[] = [];
  for await (const { path, read } of candidates(named, image, environment)) {
    const bytes = await read().catch((error: unknown) => void problems.push(`${path}: ${reasonOf(error)}`));
    if (bytes === undefined) continue;
    const problem = busyboxProblem(bytes);
    if (problem === undefined) return { path, bytes };
    problems.push(`${path}: ${problem}`);
  }
  const seen = problems.length === 0 ? "none was found" : problems.join("; ");
  throw new DiskwrightError(
    "VM_NO_BUSYBOX",
    `a static busybox for x86-64 is needed to start a virtual machine (${seen}): ${BUSYBOX_PACKAGES}`,
    { problems },
  );
}

interface Candidate {
  readonly path: string;
  read(): Promise<Uint8Array | undefined>;
}

async function* candidates(
  named: string | undefined,
  image: SystemFiles | undefined,
  environment: Environment,
): AsyncGenerator<Candidate> {
  const onHost = (path: string): Candidate => ({ path, read: async () => readFileSync(path) });
  if (named !== undefined) {
    yield onHost(named);
    return;
  }
  for (const name of BUSYBOX_NAMES) {
    const path = findProgram(name, environment);
    if (path !== undefined) yield onHost(path);
  }
  if (image === undefined) return;
  for (const name of BUSYBOX_NAMES) {
    for (const directory of BUSYBOX_DIRECTORIES) {
      const path = `${directory}/${name}`;
      yield { path: `${path} of the image`, read: () => readFile(image, path) };
    }
  }
}

function busyboxProblem(bytes: Uint8Array): string | undefined {
  const file = elfFile(bytes);
  if (file === undefined || file.machine !== MACHINE_X86_64) return "is no program for x86-64 Linux";
  return file.isDynamic ? "needs shared libraries, a static one is needed" : undefined;
}
