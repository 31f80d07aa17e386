import { utf8 } from "../bytes/index.ts";
import { type CpioEntry, cpioArchive } from "./cpio.ts";
import type { LoadedModule } from "./modules.ts";

/** What the first root filesystem of a virtual machine holds. */
export interface InitramfsPlan {
  /** The text of `/init`. */
  readonly init: string;
  readonly busybox: Uint8Array;
  readonly modules: readonly LoadedModule[];
  /** What is run in the image. */
  readonly script: Uint8Array;
}

/** The commands of busybox that `/init` uses. */
const COMMANDS = [
  "cat chmod chroot cp dmesg env grep insmod kill ln losetup mkdir mount poweroff printf readlink rmdir sh sleep",
  "stty swapoff sync tac tail tr umount uname",
].flatMap((line) => line.split(" "));

const DIRECTORIES = ["bin", "dev", "mnt", "mod", "proc", "sys"];

/** The archive that the kernel unpacks and starts from. It is not packed: packing costs more than it saves. */
export function initramfs({ init, busybox, modules, script }: InitramfsPlan): Uint8Array {
  const entries: CpioEntry[] = [
    ...DIRECTORIES.map((path): CpioEntry => ({ path, type: "directory" })),
    // The kernel opens it for the first program before anything is mounted.
    { path: "dev/console", type: "device", major: 5, minor: 1 },
    { path: "dev/null", type: "device", major: 1, minor: 3 },
    { path: "bin/busybox", type: "file", mode: 0o755, bytes: busybox },
    ...COMMANDS.map((name): CpioEntry => ({ path: `bin/${name}`, type: "symlink", target: "busybox" })),
    ...modules.map(
      ({ name, bytes }): CpioEntry => ({ path: `mod/${name}.ko`, type: "file", mode: 0o644, bytes }),
    ),
    { path: "script", type: "file", mode: 0o755, bytes: script },
    { path: "init", type: "file", mode: 0o755, bytes: utf8(init) },
  ];
  return cpioArchive(entries);
}
