import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { BootContext, BootInstallation } from "../../src/boot/index.ts";
import { type ImagePlan, type ImageSpec, image, plan, write } from "../../src/image/index.ts";
import { FileReader } from "../../src/node/file-reader.ts";
import { fileTarget } from "../../src/node/index.ts";
import { type Entry, pathBytes, type Tree, TreeDraft, treeOf } from "../../src/tree/index.ts";

/** What the init of a {@link miniTree} prints. */
export const MARKER = "init of the mini tree runs";

/**
 * A kernel that has drivers for NVMe, ext4 and the serial console built in, as Debian's cloud kernel has:
 * `TEST_KERNEL`, or one of this machine's. `undefined`: there is none.
 */
export function testKernel(): string | undefined {
  const named = process.env.TEST_KERNEL;
  if (named !== undefined && named !== "") return named;
  const kernels = existsSync("/boot")
    ? readdirSync("/boot").filter((name) => /^vmlinuz-.*cloud/.test(name))
    : [];
  return kernels.length === 0 ? undefined : join("/boot", kernels.sort().at(-1)!);
}

/** Those of these files that are not on this machine, for `describeWith`. */
export function missingFiles(...paths: readonly string[]): string[] {
  return paths.filter((path) => !existsSync(path));
}

const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "command line: $(/bin/busybox cat /proc/cmdline)"
echo "${MARKER}"
/bin/busybox poweroff -f
`;

/** An archive of nothing (cpio, "newc"): the kernel unpacks it and goes on as if there were none. */
const EMPTY_INITRD = `070701${"0".repeat(8 * 11)}0000000b00000000TRAILER!!!\0\0\0\0`;

/** The smallest tree that runs: a kernel, busybox, and an init that says so and powers off. */
export function miniTree(kernel: string): Tree {
  return treeOf([
    { path: "/boot/vmlinuz", type: "file", content: readFileSync(kernel) },
    { path: "/lib/it's an initrd", type: "file", content: EMPTY_INITRD },
    { path: "/bin/busybox", type: "file", mode: 0o755, content: readFileSync("/usr/bin/busybox") },
    { path: "/sbin/init", type: "file", mode: 0o755, content: INIT },
    { path: "/dev/console", type: "character", mode: 0o600, device: { major: 5, minor: 1 } },
    { path: "/proc", type: "directory" },
  ]);
}

/** A tree with the files of a boot loader. */
function withFiles(tree: Tree, { files }: BootInstallation): Tree {
  const draft = new TreeDraft();
  draft.lay(tree, pathBytes("/"));
  draft.lay(
    treeOf(
      files.map(
        ({ path, content, data }): Entry => ({
          path,
          type: "file",
          content,
          ...(data === undefined ? {} : { data }),
        }),
      ),
    ),
    pathBytes("/"),
  );
  return draft.finish();
}

/** What a boot loader is told of a planned image. */
export function bootContext(planned: ImagePlan): BootContext {
  const { image, partitions, table } = planned;
  const root = partitions.find(({ mount }) => mount === "/")!;
  const bios = partitions.find(({ type }) => type === "bios-boot");
  const volumes = partitions.flatMap(({ mount, filesystem }) => {
    if (mount === undefined || filesystem === undefined) return [];
    const { type } = filesystem;
    return [
      { mount, type, uuid: type === "ext4" ? filesystem.plan.uuid : serialText(filesystem.plan.serial) },
    ];
  });
  return {
    tree: image.root,
    reader: image.reader,
    table: table.type,
    sectorSize: image.sectorSize,
    esp: partitions.find(({ type }) => type === "esp")?.mount,
    xbootldr: partitions.find(({ type }) => type === "xbootldr")?.mount,
    rootUuid: volumes.find(({ mount }) => mount === "/")!.uuid,
    volumes,
    biosRoom: table.type === "mbr" ? partitions[0]!.offset - 512 : bios?.size,
    rootDevice: `PARTUUID=${root.guid ?? `${image.diskSignature.toString(16).padStart(8, "0")}-0${root.number}`}`,
    time: undefined,
  };
}

function serialText(serial: number): string {
  const digits = serial.toString(16).toUpperCase().padStart(8, "0");
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

/** Writes an image of a tree with what a boot loader adds to it, and returns its path. */
export async function bootableImage(
  path: string,
  spec: ImageSpec,
  install: (context: BootContext) => Promise<BootInstallation>,
): Promise<string> {
  const settled: ImageSpec = {
    ...spec,
    additionalSpace: "8M",
    unsupported: "skip",
    reader: new FileReader(),
  };
  const context = bootContext(plan(image(settled)));
  const installation = await install(context);
  const planned = plan(image({ ...settled, root: withFiles(spec.root, installation) }));
  await write(planned, fileTarget(path));
  const { raw } = installation;
  if (raw !== undefined) {
    const bios = planned.partitions.find(({ type }) => type === "bios-boot");
    const lba = bios === undefined ? 1 : bios.offset / 512;
    const { bootCode, core } = raw.placedAt(lba);
    const file = openSync(path, "r+");
    writeSync(file, bootCode, 0, bootCode.length, 0);
    writeSync(file, core, 0, core.length, lba * 512);
    closeSync(file);
  }
  return path;
}

/** Emulation is slow, and the machine may be shared. */
const SECONDS = 120;

/** Boots a disk without writing to it, and returns what the serial port said until the machine went off. */
export function booted(disk: string, firmware: "bios" | "efi"): string {
  const { stdout } = spawnSync(
    "timeout",
    [String(SECONDS), "qemu-system-x86_64", ...machineArguments(disk, firmware)],
    { encoding: "utf8", maxBuffer: 1 << 24 },
  );
  // Terminals are told where to write and in which colour.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
  return stdout.replace(/\x1b\[[0-9;?=]*[A-Za-z]/g, "").replaceAll("\r", "");
}

/** The firmware for UEFI. */
export const OVMF = "/usr/share/OVMF";

function machineArguments(disk: string, firmware: "bios" | "efi"): string[] {
  const efi = (): string[] => {
    const variables = `${disk}.vars`;
    copyFileSync(join(OVMF, "OVMF_VARS_4M.fd"), variables);
    return [
      ...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${OVMF}/OVMF_CODE_4M.fd`],
      ...["-drive", `if=pflash,format=raw,unit=1,file=${variables}`],
    ];
  };
  return [
    ...["-machine", "q35,smm=off,vmport=off", "-accel", "tcg", "-cpu", "max", "-m", "512"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-drive", `if=none,id=disk,file=${disk},format=raw,snapshot=on`],
    ...["-device", "nvme,drive=disk,serial=disk,bootindex=0"],
    ...(firmware === "efi" ? efi() : []),
  ];
}
