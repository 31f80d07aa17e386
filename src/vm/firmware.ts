import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { DiskwrightError } from "../errors.ts";
import { reasonOf } from "../node/index.ts";
import type { DriveFile } from "./command-line.ts";
import { FIRMWARE_PACKAGES } from "./packages.ts";
import type { Environment } from "./programs.ts";

/** UEFI firmware for x86-64 that is installed here. */
export interface Firmware {
  readonly code: DriveFile;
  /** What a store of variables starts as; it is copied. */
  readonly template: DriveFile;
  readonly needsSmm: boolean;
  /** Whether it starts only what is signed by keys that it knows. */
  readonly hasSecureBoot: boolean;
  /** What told of it, for messages. */
  readonly origin: string;
}

/** Which firmware is wanted. */
export interface FirmwareOptions {
  /** Firmware that starts only what is signed. Default: one that starts anything. */
  readonly secureBoot?: boolean | undefined;
  /** A store of variables that it must be able to use: those of different sizes are not the same kind. */
  readonly variables?: string | undefined;
  /** The program, beside which firmware may be installed. */
  readonly qemu?: string | undefined;
  readonly environment?: Environment | undefined;
}

// QEMU, docs/interop/firmware.json: a file of JSON describes each firmware that is installed.
const file = v.object({ filename: v.string(), format: v.optional(v.picklist(["raw", "qcow2"]), "raw") });
const descriptor = v.object({
  "interface-types": v.array(v.string()),
  mapping: v.object({
    device: v.string(),
    mode: v.optional(v.string(), "split"),
    executable: v.optional(file),
    "nvram-template": v.optional(file),
  }),
  targets: v.array(v.object({ architecture: v.string(), machines: v.array(v.string()) })),
  features: v.array(v.string()),
});

/**
 * Finds firmware by the descriptors that come with it, and else where systems are known to have it.
 *
 * @throws DiskwrightError `VM_NO_FIRMWARE`, with the packages that bring it.
 */
export function findFirmware(options: FirmwareOptions = {}): Firmware {
  const { secureBoot = false, variables, qemu, environment = process.env } = options;
  const problems: string[] = [];
  const size = variables !== undefined && existsSync(variables) ? statSync(variables).size : undefined;
  const share = qemu === undefined ? undefined : join(dirname(dirname(realPath(qemu))), "share");
  const fits = (firmware: Firmware): boolean => {
    if (firmware.hasSecureBoot !== secureBoot) return false;
    const missing = [firmware.code.path, firmware.template.path].filter((path) => !existsSync(path));
    if (missing.length > 0) {
      problems.push(
        `${firmware.origin}: ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`,
      );
      return false;
    }
    // Two firmwares for stores of the same kind have templates of the same size, packed ones aside.
    if (size === undefined || firmware.template.format !== "raw") return true;
    const own = statSync(firmware.template.path).size;
    if (own !== size)
      problems.push(`${firmware.origin}: its variables take ${own} bytes, ${variables} has ${size}`);
    return own === size;
  };
  const found =
    [...described(environment, share, problems)].sort(withoutSmmFirst).find(fits) ??
    (secureBoot ? undefined : [...wellKnown(share)].find(fits));
  if (found !== undefined) return found;
  const seen = problems.map((problem) => `\n  ${problem}`).join("");
  throw new DiskwrightError(
    "VM_NO_FIRMWARE",
    `UEFI firmware for x86-64 ${secureBoot ? "with Secure Boot " : ""}was not found: ${FIRMWARE_PACKAGES}${seen}`,
    { problems },
  );
}

/** Not every accelerator can do system management mode, and none is faster with it. */
function withoutSmmFirst(a: Firmware, b: Firmware): number {
  return Number(a.needsSmm) - Number(b.needsSmm);
}

/** The firmware that descriptors tell of, the most wanted first. What is broken is noted. */
function* described(
  environment: Environment,
  share: string | undefined,
  problems: string[],
): Generator<Firmware> {
  for (const path of descriptorFiles(environment, share)) {
    try {
      const text = readFileSync(path, "utf8");
      // An empty file hides the one of the same name that a package brought.
      if (text.trim() === "") continue;
      const firmware = firmwareOf(v.parse(descriptor, JSON.parse(text)), path);
      if (firmware !== undefined) yield firmware;
    } catch (error) {
      problems.push(`${path}: ${reasonOf(error)}`);
    }
  }
}

/** The descriptors in the order of their names; one of the user or the administrator replaces one of a package. */
function descriptorFiles(environment: Environment, share: string | undefined): string[] {
  const user = environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), ".config");
  const directories = [
    join(user, "qemu/firmware"),
    "/etc/qemu/firmware",
    "/usr/share/qemu/firmware",
    ...(share === undefined ? [] : [join(share, "qemu/firmware")]),
  ];
  const byName = new Map<string, string>();
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).filter((one) => one.endsWith(".json"))) {
      if (!byName.has(name)) byName.set(name, join(directory, name));
    }
  }
  return [...byName.values()].sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

/** The firmware of a descriptor; `undefined` when it is not for the machines that are made here. */
function firmwareOf(described: v.InferOutput<typeof descriptor>, origin: string): Firmware | undefined {
  const { mapping, targets, features } = described;
  const { executable, "nvram-template": template } = mapping;
  const isForMachine = targets.some(
    ({ architecture, machines }) =>
      architecture === "x86_64" &&
      machines.some((machine) => machine.startsWith("pc-q35") || machine === "q35"),
  );
  const isFlash = mapping.device === "flash" && mapping.mode === "split";
  if (!described["interface-types"].includes("uefi") || !isForMachine || !isFlash) return undefined;
  if (executable === undefined || template === undefined) return undefined;
  const hasSecureBoot = features.includes("secure-boot") && features.includes("enrolled-keys");
  return {
    code: { path: executable.filename, format: executable.format },
    template: { path: template.filename, format: template.format },
    needsSmm: features.includes("requires-smm"),
    hasSecureBoot,
    origin,
  };
}

/** Where systems without descriptors have it: the code, and what variables start as. */
const WELL_KNOWN = [
  ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
  ["/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"],
  ["/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"],
  ["/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"],
  ["/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"],
  ["/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"],
  ["/run/libvirt/nix-ovmf/OVMF_CODE.fd", "/run/libvirt/nix-ovmf/OVMF_VARS.fd"],
] as const;

function* wellKnown(share: string | undefined): Generator<Firmware> {
  // Builds of QEMU bring firmware of their own, whose variables are those of the 32-bit one.
  const own =
    share === undefined
      ? []
      : [[join(share, "qemu/edk2-x86_64-code.fd"), join(share, "qemu/edk2-i386-vars.fd")]];
  for (const [code, template] of [...WELL_KNOWN, ...own]) {
    if (!existsSync(code!)) continue;
    yield {
      code: { path: code!, format: "raw" },
      template: { path: template!, format: "raw" },
      needsSmm: false,
      hasSecureBoot: false,
      origin: code!,
    };
  }
}

function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
