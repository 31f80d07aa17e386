import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type BootContext, type GrubOptions, installGrub } from "../../src/boot/index.ts";
import { bootContext, image, plan, write } from "../../src/image/index.ts";
import type { LayoutName } from "../../src/layouts/index.ts";
import { FileReader } from "../../src/node/file-reader.ts";
import { directory, fileTarget } from "../../src/node/index.ts";
import { boot, hasFirmware, MARKER, stageFile, stageMiniSystem } from "../support/boot-machine.ts";
import { cloudKernel } from "../support/kernel.ts";
import { describeWith, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const GRUB = "/usr/lib/grub";
const PREBUILT = `${GRUB}/x86_64-efi/monolithic`;
const isReady =
  process.env.CI === "true" || (hasFirmware() && existsSync(`${GRUB}/i386-pc`) && existsSync(PREBUILT));
const kernel = isReady ? cloudKernel() : undefined;

/** What means something to GRUB: an option, quotes, a variable, a block. */
const TITLE = `-it's "a" $title {here} \\`;

/** An archive of nothing (cpio, "newc"): the kernel unpacks it and goes on as if there were none. */
const EMPTY_INITRD = `070701${"0".repeat(8 * 11)}0000000b00000000TRAILER!!!\0\0\0\0`;

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
  readonly firmware: "bios" | "uefi";
  readonly program?: string;
}

const CASES: readonly Case[] = [
  { layout: "legacy", firmware: "bios" },
  { layout: "hybrid", firmware: "uefi" },
  { layout: "efixbootldr", firmware: "uefi", program: "/x86_64-efi/monolithic/gcdx64.efi" },
];

describeWith(["qemu-system-x86_64", "busybox"], "GRUB", () => {
  it.runIf(kernel !== undefined).each(CASES)(
    "starts a kernel with a menu from $layout by $firmware",
    async ({ layout, firmware, program }) => {
      const root = join(scratch, layout);
      mkdirSync(root);
      stageMiniSystem(root);
      stageFile(root, "boot/vmlinuz", readFileSync(kernel!.vmlinuz));
      stageFile(root, "lib/it's an initrd", EMPTY_INITRD);
      const reader = new FileReader();
      const spec = { root: await directory(root), layout, additionalSpace: "8M", bootSize: "64M", reader };
      const context = bootContext(image(spec));
      const installation = await installGrub(context, await grubOptions(context, program));
      const path = join(scratch, `${layout}.img`);
      await write(plan(image({ ...spec, boot: installation })), fileTarget(path));
      const said = await boot(path, scratch, { firmware });
      expect(said).toContain(TITLE);
      expect(said).toMatch(/RAMDISK: \[mem/);
      // As the kernel reads it: GRUB puts the quotes around the whole word.
      expect(said).toMatch(
        new RegExp(`${MARKER}: BOOT_IMAGE=\\S+ root=PARTUUID=\\S+ ro .*"words=two words"`),
      );
    },
  );
});
