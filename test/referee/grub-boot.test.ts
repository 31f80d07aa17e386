import { join } from "node:path";
import { expect, it } from "vitest";
import { type BootContext, type GrubOptions, installGrub } from "../../src/boot/index.ts";
import type { LayoutName } from "../../src/layouts/index.ts";
import { directory } from "../../src/node/index.ts";
import {
  bootableImage,
  booted,
  MARKER,
  miniTree,
  missingFiles,
  OVMF,
  testKernel,
} from "../support/grub-machine.ts";
import { describeWith, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const kernel = testKernel();
const GRUB = "/usr/lib/grub";

/** What means something to GRUB: an option, quotes, a variable, a block. */
const TITLE = `-it's "a" $title {here} \\`;

async function grubOptions(context: BootContext, program: string | undefined): Promise<GrubOptions> {
  const grub = await directory(GRUB);
  return {
    entries: [
      {
        id: "6.1",
        title: TITLE,
        // With an ESP or XBOOTLDR at /boot the kernel lies on FAT, and the initrd on ext4.
        linux: "/boot/vmlinuz",
        initrds: ["/lib/it's an initrd"],
        options: `root=${context.rootDevice} ro console=ttyS0 panic=-1 words="two words"`,
      },
    ],
    timeout: 1,
    serial: { unit: 0, speed: 115_200 },
    grub,
    efiPrograms:
      program === undefined ? undefined : [{ name: program, content: grub.content(grub.find(program)!) }],
  };
}

interface Case {
  readonly layout: LayoutName;
  readonly firmware: "bios" | "efi";
  readonly program?: string;
}

const CASES: readonly Case[] = [
  { layout: "legacy", firmware: "bios" },
  { layout: "legacy+gpt", firmware: "bios" },
  { layout: "hybrid", firmware: "bios" },
  { layout: "hybrid", firmware: "efi" },
  { layout: "efixbootldr", firmware: "efi", program: "/x86_64-efi/monolithic/gcdx64.efi" },
];

const NEEDED = [
  ...["qemu-system-x86_64", "busybox", ...(kernel === undefined ? ["TEST_KERNEL"] : [])],
  ...missingFiles(OVMF, `${GRUB}/i386-pc`, `${GRUB}/x86_64-efi/monolithic`),
];

describeWith(NEEDED, "GRUB", () => {
  it.each(CASES)("starts a kernel from $layout by $firmware", async ({ layout, firmware, program }) => {
    const path = join(scratch, `${layout}-${firmware}.img`);
    const disk = await bootableImage(path, { root: miniTree(kernel!), layout }, async (context) =>
      installGrub(context, await grubOptions(context, program)),
    );
    const said = booted(disk, firmware);
    expect(said).toContain(MARKER);
    expect(said).toContain(TITLE);
    expect(said).toMatch(/RAMDISK: \[mem/);
    // As the kernel reads it: GRUB puts the quotes around the whole word.
    expect(said).toMatch(/^command line: BOOT_IMAGE=\S+ root=PARTUUID=\S+ ro .*"words=two words"$/m);
  });
});
