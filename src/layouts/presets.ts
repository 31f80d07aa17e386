import { MIB } from "../bytes/index.ts";
import { gptUsableRange } from "../gpt/index.ts";
import type { Layout, LayoutName, LayoutPartition } from "./layout.ts";

/** What shapes a preset. Sizes are in bytes. */
export interface PresetOptions {
  readonly sectorSize: 512 | 4096;
  /** The size of the boot partition: the ESP at /boot, or the XBOOTLDR partition. */
  readonly bootSize: number;
  /** The label of the root filesystem. */
  readonly label: string;
}

/** Where the ESP starts; what is before it stays free for firmware. */
const ESP_START: number = 8 * MIB;

/** The MBR type byte of a Linux filesystem. */
const MBR_LINUX = 0x83;

/** The default size of a boot partition: one that can be FAT32 with sectors of this size. */
export function defaultBootSize(sectorSize: 512 | 4096): number {
  return (sectorSize === 4096 ? 260 : 256) * MIB;
}

/** Bytes that the backup copy of a GPT takes at the end of a disk. */
export function backupGptSize(sectorSize: 512 | 4096): number {
  const sectors = ESP_START / sectorSize;
  return (sectors - 1 - gptUsableRange({ sectorSize, sectors }).lastUsableLba) * sectorSize;
}

/**
 * The six layouts, with every size as it says and every partition on a boundary of 1 MiB:
 *
 * - `none`: no table, one filesystem.
 * - `legacy`: an MBR, the root from 1 MiB, active.
 * - `legacy+gpt`: a BIOS boot partition from 1 to 2 MiB for GRUB, the root behind it.
 * - `efi`: an ESP at /boot from 8 MiB, the root behind it.
 * - `efixbootldr`: an ESP at /efi from 8 MiB to 100 MiB, an XBOOTLDR partition at /boot, the root behind it.
 * - `hybrid`: as `efi`, with a BIOS boot partition before 1 MiB.
 */
export function presetLayout(name: LayoutName, options: PresetOptions): Layout {
  const { sectorSize, bootSize, label } = options;
  const root = (
    number: number,
    start: number | undefined,
    type: string | number = "linux-generic",
  ): LayoutPartition => ({
    name: "ROOT",
    number,
    type,
    start,
    size: "rest",
    filesystem: { type: "ext4", label },
    mount: "/",
  });
  const esp = (mount: string, size: number): LayoutPartition => ({
    name: "ESP",
    number: 1,
    type: "esp",
    start: ESP_START,
    size,
    filesystem: { type: "fat", label: "ESP" },
    mount,
  });
  const biosBoot = (number: number, start: number, end: number): LayoutPartition => ({
    name: "BIOS",
    number,
    type: "bios-boot",
    start,
    size: end - start,
  });
  const gpt = (partitions: readonly LayoutPartition[]): Layout => ({ name, table: "gpt", partitions });
  switch (name) {
    case "none":
      return { name, table: "none", partitions: [root(0, undefined)] };
    case "legacy":
      // The end stays free, so that the disk can be turned into a GPT one later.
      return {
        name,
        table: "mbr",
        partitions: [{ ...root(1, MIB, MBR_LINUX), bootable: true }],
        endGap: backupGptSize(sectorSize),
      };
    case "legacy+gpt":
      return gpt([biosBoot(1, MIB, 2 * MIB), root(2, 2 * MIB)]);
    case "efi":
      return gpt([esp("/boot", bootSize), root(2, ESP_START + bootSize)]);
    case "efixbootldr": {
      // 92 MiB, as make-disk-image.nix has it, are too few for FAT32 with sectors of 4096 bytes.
      const boot = sectorSize === 4096 ? ESP_START + defaultBootSize(4096) : 100 * MIB;
      const xbootldr: LayoutPartition = {
        name: "BOOT",
        number: 2,
        type: "xbootldr",
        start: boot,
        size: bootSize,
        filesystem: { type: "fat", label: "BOOT" },
        mount: "/boot",
      };
      return gpt([esp("/efi", boot - ESP_START), xbootldr, root(3, boot + bootSize)]);
    }
    case "hybrid": {
      const { firstUsableLba } = gptUsableRange({ sectorSize, sectors: ESP_START / sectorSize });
      return gpt([
        biosBoot(2, firstUsableLba * sectorSize, MIB),
        esp("/boot", bootSize),
        root(3, ESP_START + bootSize),
      ]);
    }
  }
}
