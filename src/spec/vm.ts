import * as v from "valibot";
import { count, field, flag, hostPath, oneOf, text } from "./values.ts";

const DEVICE = 'a path below /dev, such as "/dev/sda"';

/** The virtual machine in which a script is run. */
const machine = v.strictObject(
  {
    kernel: field(text, "The kernel, a path of the tree. Default: the newest in the tree."),
    kernelFrom: field(
      hostPath,
      "A directory of the host in which kernel and modules lie, as in a tree, in place of the tree.",
    ),
    modules: field(text, "The directory of the kernel's modules. Default: /lib/modules/RELEASE."),
    firmware: field(
      oneOf("bios", "uefi"),
      "What the machine has: with `uefi` the script can set variables of UEFI, which efiVars keeps. Default bios.",
    ),
    busybox: field(hostPath, "A static busybox. Default: that of the host, or of the tree."),
    accelerator: field(
      oneOf("auto", "kvm", "hvf", "whpx", "tcg"),
      "What runs the machine. Default: that of the system if it works, otherwise tcg, which needs none.",
    ),
    timeout: field(count, "Seconds after which it is ended. Default 900."),
    memory: field(count, "Mebibytes of memory. Default 512."),
    cpus: field(count, "Processors. Default 1."),
    devices: field(
      v.array(v.pipe(v.string(DEVICE), v.regex(/^\/dev\/[^\0]+$/, DEVICE)), "a list of paths below /dev"),
      "Further names of the disk, for what a boot loader's installer is told.",
    ),
    qemu: field(hostPath, "The program. Default: qemu-system-x86_64."),
    qemuArguments: field(v.array(text, "a list of arguments"), "Further arguments of QEMU."),
    consoleLog: field(hostPath, "A file for what the kernel prints."),
    inPlace: field(
      flag,
      "Keeps the filesystems as the machine leaves them: then no two builds give the same bytes.",
    ),
  },
  "a mapping of fields to values",
);

export type MachineSpec = v.InferOutput<typeof machine>;

/** What is run inside of the image, and afterwards. */
export const vmFields = {
  runInVm: field(
    hostPath,
    "A script that is run as root inside of the image, in QEMU, before it is written: for what cannot be done from outside.",
  ),
  vm: field(machine, "The machine for it."),
  after: field(
    text,
    "A command of the host's shell that is run when the images are complete; $diskImage is the first of them (postVM of make-disk-image.nix).",
  ),
};
