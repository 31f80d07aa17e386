import * as v from "valibot";
import { count, field, flag, hostPath, oneOf, text, treePath } from "./values.ts";

/** An entry of the boot menu. */
export const bootEntry = v.strictObject(
  {
    title: v.pipe(text, v.minLength(1, "a title"), v.description("What the menu shows.")),
    linux: field(treePath, "The kernel, a path of the tree."),
    initrd: field(
      v.union(
        [treePath, v.array(treePath, "a path of the tree, or a list of them")],
        "a path of the tree, or a list of them",
      ),
      "The initrds, paths of the tree, in the order in which they are unpacked.",
    ),
    efi: field(treePath, "In place of a kernel: a program of UEFI, such as a memory test."),
    devicetree: field(treePath, "A device tree, a path of the tree."),
    options: field(text, "The kernel command line. Without a root in it, that of the image is added."),
    id: field(text, "What names it, and its file. Default: by the title and the version."),
    version: field(text, "Of entries with one title and sort key, the newest comes first."),
    sortKey: field(text, "What entries are sorted by in the first place."),
  },
  "a mapping with a title, and linux or efi",
);

export type BootEntrySpec = v.InferOutput<typeof bootEntry>;

/** What makes the image boot. */
export const bootFields = {
  bootloader: field(
    oneOf("systemd-boot", "grub", "unified-kernel", "none"),
    "What starts the system: its files and sectors are placed, and no program is run. `unified-kernel`: the firmware, without a boot loader. Default none.",
  ),
  bootFiles: field(
    hostPath,
    "A directory with the boot loader's own files, such as /usr/lib/grub or /usr/lib/systemd/boot/efi. Default: those in the tree.",
  ),
  unifiedKernels: field(
    flag,
    "With systemd-boot: one file for each kernel, with its initrds and its command line, in place of an entry.",
  ),
  kernelOptions: field(
    text,
    "The kernel command line. Without a root in it, that of the image is added. Default: that of the tree.",
  ),
  bootTimeout: field(
    count,
    "Seconds for which the boot menu waits. Default: 5 with grub, that of the loader with systemd-boot.",
  ),
  bootEntries: field(
    v.array(bootEntry, "a list of boot entries"),
    "The entries of the boot menu, the default one first. Default: NixOS' generations, or the kernels in the tree.",
  ),
  serialConsole: field(
    flag,
    "Whether GRUB, started by a BIOS, uses the first serial port as well as the screen.",
  ),
  efiVars: field(
    hostPath,
    "A file for the variables of UEFI firmware, with an entry that starts the boot loader (touchEFIVars of make-disk-image.nix).",
  ),
  efiVarsFrom: field(
    hostPath,
    "What those variables are added to. Default: the template of the firmware of this host.",
  ),
};
