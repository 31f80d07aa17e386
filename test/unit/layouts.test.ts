import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MIB } from "../../src/bytes/index.ts";
import { type ImagePlan, type ImageSpec, image, plan } from "../../src/image/index.ts";
import { LAYOUT_NAMES, type Layout, type LayoutPartition } from "../../src/layouts/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { patterned } from "../support/trees.ts";

const planned = (spec: Omit<ImageSpec, "root">, entries: readonly Entry[] = []): ImagePlan =>
  plan(image({ ...spec, root: treeOf(entries) }));

/** Partitions as [name, first MiB, last MiB + 1], in their order on the disk. */
const places = (disk: ImagePlan): unknown[] =>
  [...disk.partitions]
    .sort((a, b) => a.offset - b.offset)
    .map(({ name, offset, size }) => [name, offset / MIB, (offset + size) / MIB]);

describe("the layouts, with sizes that mean what they say", () => {
  it.each([
    ["none", [["ROOT", 0, 1024]]],
    ["legacy", [["ROOT", 1, 1023]]],
    [
      "legacy+gpt",
      [
        ["BIOS", 1, 2],
        ["ROOT", 2, 1023],
      ],
    ],
    [
      "efi",
      [
        ["ESP", 8, 72],
        ["ROOT", 72, 1023],
      ],
    ],
    [
      "efixbootldr",
      [
        ["ESP", 8, 100],
        ["BOOT", 100, 164],
        ["ROOT", 164, 1023],
      ],
    ],
    [
      "hybrid",
      [
        ["BIOS", 34 / 2048, 1],
        ["ESP", 8, 72],
        ["ROOT", 72, 1023],
      ],
    ],
  ] as const)("%s", (layout, expected) => {
    expect(places(planned({ layout, size: "1G", bootSize: "64M" }))).toEqual(expected);
  });

  it("have room for FAT32 with sectors of 4096 bytes", () => {
    for (const layout of LAYOUT_NAMES) {
      const disk = planned({ layout, sectorSize: 4096 });
      for (const { filesystem } of disk.partitions) {
        if (filesystem?.type === "fat") expect(filesystem.plan.type).toBe("fat32");
      }
    }
  });

  it("put what lies at a mount point into its partition, and leave an empty directory", () => {
    const entries: Entry[] = [
      { path: "boot/vmlinuz", type: "file", content: "kernel" },
      { path: "efi/EFI/BOOT/BOOTX64.EFI", type: "file", content: "loader" },
      { path: "etc/fstab", type: "file" },
    ];
    const disk = planned({ layout: "efixbootldr" }, entries);
    const trees = new Map(disk.partitions.map(({ name, filesystem }) => [name, filesystem!.plan.tree]));
    expect(trees.get("ESP")!.find("/EFI/BOOT/BOOTX64.EFI")).toBeDefined();
    expect(trees.get("BOOT")!.find("/vmlinuz")).toBeDefined();
    const root = trees.get("ROOT")!;
    expect(["boot", "efi", "etc"].map((name) => root.columns.childCount[root.find(name)!])).toEqual([
      0, 0, 1,
    ]);
    const without = planned({ layout: "legacy" }, entries).partitions[0]!.filesystem!.plan.tree;
    expect(without.find("/boot/vmlinuz")).toBeDefined();
  });

  it("make a mount point that is missing, and refuse one that is no directory", () => {
    const tree = planned({ layout: "efi" }, [
      { path: "a", type: "file" },
      { path: "z/b", type: "file" },
    ]).partitions[1]!.filesystem!.plan.tree;
    expect(tree.find("/boot")).toBeDefined();
    expect(tree.find("/z/b")).toBeDefined();
    expect(() => planned({ layout: "efi" }, [{ path: "boot", type: "symlink", target: "z" }])).toThrow(
      /\/boot: partition ESP/,
    );
  });

  it("derive every identifier from the seed, each its own, unless it is given", () => {
    const identifiers = (spec: Omit<ImageSpec, "root">): string[] => {
      const { table, partitions } = planned({ layout: "efi", ...spec });
      return [
        table.type === "gpt" ? table.plan.diskGuid : "",
        ...partitions.map(({ guid }) => guid!),
        ...partitions.map(({ filesystem }) =>
          filesystem?.type === "ext4" ? filesystem.plan.uuid : String(filesystem?.plan.serial),
        ),
      ];
    };
    const all = [...identifiers({ seed: "a" }), ...identifiers({ seed: "b" })];
    expect(new Set(all).size).toBe(all.length);
    const given = "12345678-9abc-4def-8123-456789abcdef";
    expect(identifiers({ diskGuid: given })[0]).toBe(given);
    expect(identifiers({ rootGuid: given })[2]).toBe(given);
    expect(identifiers({ rootFilesystemUuid: given })[4]).toBe(given);
  });
});

describe("automatic sizes", () => {
  it("are the smallest: one MiB less, or one block without a table, does not fit", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom(...LAYOUT_NAMES), sizes, fc.boolean(), (layout, fileSizes, isInBoot) => {
        const prefix = isInBoot ? "boot/" : "";
        const entries = fileSizes.map(
          (size, index): Entry => ({
            path: `${prefix}${index}`,
            type: "file",
            content: patterned(size, index),
          }),
        );
        const disk = planned({ layout, bootSize: "64M", additionalSpace: 0 }, entries);
        const step = layout === "none" ? 4096 : MIB;
        expect(planned({ layout, bootSize: "64M", size: disk.size }, entries).size).toBe(disk.size);
        expect(() => planned({ layout, bootSize: "64M", size: disk.size - step }, entries)).toThrow(
          expect.objectContaining({ code: "DOES_NOT_FIT", missingBytes: step }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("leave the additional space free", () => {
    for (const layout of LAYOUT_NAMES) {
      const { filesystem } = planned({ layout, additionalSpace: "100M" }).partitions.at(-1)!;
      expect((filesystem!.plan as { usage: { free: number } }).usage.free).toBeGreaterThanOrEqual(100 * MIB);
    }
  });

  it("hold 160,000 files of one byte", () => {
    const entries = Array.from(
      { length: 160_000 },
      (_, index): Entry => ({ path: `${index % 400}/${index}`, type: "file", content: "x" }),
    );
    const { filesystem, size } = planned({ layout: "none", additionalSpace: 0 }, entries).partitions[0]!;
    expect(filesystem!.plan.size).toBe(size);
    expect(size).toBeLessThan(160_000 * (4096 + 256) + (16 + 8) * MIB);
  });
});

describe("the boot size that a message names", () => {
  const layouts = ["efi", "efixbootldr", "hybrid"] as const;
  const cases = layouts.flatMap((layout) =>
    [
      { layout, bootSize: "9M" },
      { layout, bootSize: "120M", sectorSize: 4096 },
      { layout, bootSize: "32M", size: "1G" },
      { layout, bootSize: layout === "efixbootldr" ? "110M" : "32M", compat: "nixpkgs" as const },
      {
        layout,
        bootSize: layout === "efixbootldr" ? "110M" : "20M",
        compat: "nixpkgs" as const,
        size: "2048",
      },
    ].map((spec): [string, Omit<ImageSpec, "root">] => [JSON.stringify(spec), spec]),
  );
  it.each(cases)("is one that works: %s", (_, spec) => {
    const message = errorOf(() => planned(spec));
    const bootSize = /use --boot-size (\S+) or more/.exec(message)?.[1];
    expect(bootSize, message).toBeDefined();
    expect(planned({ ...spec, bootSize }).partitions.length).toBeGreaterThan(1);
    const less = bootSize!.replace(/\d+/, (digits) => String(Number(digits) - 1));
    expect(errorOf(() => planned({ ...spec, bootSize: less }))).toContain("too few for FAT32");
  });
});

function errorOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

it("a disk that is too small names its size as it is given", () => {
  const entries = [{ path: "/f", type: "file", content: patterned(30 * MIB, 1) }] as const;
  const message = errorOf(() => planned({ layout: "legacy", compat: "nixpkgs", size: "20" }, entries));
  const size = /\(--size (\d+)\)/.exec(message)?.[1];
  expect(planned({ layout: "legacy", compat: "nixpkgs", size }, entries).size).toBe(Number(size) * MIB);
});

describe("an impossible image", () => {
  it.each<[string, Omit<ImageSpec, "root">, RegExp]>([
    [
      "a boot partition too small for FAT32",
      { layout: "efi", bootSize: "32M" },
      /ESP.*34,089,472 bytes: use --boot-size 33M/,
    ],
    ["the same with large sectors", { bootSize: "256M", sectorSize: 4096 }, /use --boot-size 257M/],
    [
      "the same, where the size is an end",
      { compat: "nixpkgs", layout: "efi", size: "2048", bootSize: "32M" },
      /use --boot-size 43M or more/,
    ],
    ["a boot size that is no whole MiB", { bootSize: 40_000_000 }, /whole mebibytes/],
    ["a sector size of 520", { sectorSize: 520 }, /use 512 or 4096/],
    ["compat with large sectors", { compat: "nixpkgs", sectorSize: 4096 }, /512 bytes only/],
    ["a signature of zero", { layout: "legacy", diskSignature: 0 }, /disk signature/],
    ["a negative time", { time: -1 }, /seconds since 1970/],
    ["more reserved than half", { rootFilesystem: { reservedPercent: 51 } }, /0 to 50/],
    [
      "a group of no bytes of a bitmap",
      { rootFilesystem: { blocksPerGroup: 300 } },
      /multiple of 8 from 256 to 32768/,
    ],
    [
      "a group of more than a bitmap",
      { rootFilesystem: { blocksPerGroup: 32776 } },
      /multiple of 8 from 256/,
    ],
    [
      "a filesystem larger than its partition",
      {
        layout: {
          name: "custom",
          table: "gpt",
          partitions: [
            {
              name: "a",
              type: "linux-generic",
              size: MIB,
              filesystem: { type: "ext4", size: 2 * MIB },
              mount: "/",
            },
          ],
        },
      },
      /partition a: the filesystem has 2,097,152 bytes, the partition 1,048,576 bytes/,
    ],
  ])("%s is refused", (_, spec, message) => expect(() => planned(spec)).toThrow(message));

  it("a boot partition too small for its content says what is missing and what takes the room", () => {
    const entries: Entry[] = [{ path: "boot/initrd", type: "file", content: patterned(50_000_000, 1) }];
    expect(() => planned({ layout: "efi", bootSize: "40M" }, entries)).toThrow(
      /partition ESP[\s\S]*use --boot-size 49M[\s\S]*\/initrd/,
    );
  });

  it("files that no partition takes are named, whatever is mounted beside them", () => {
    const layout: Layout = {
      name: "custom",
      table: "gpt",
      partitions: [
        {
          name: "esp",
          type: "esp",
          size: "minimal",
          filesystem: { type: "fat", bits: "auto" },
          mount: "/boot/efi",
        },
        {
          name: "root",
          type: "linux-generic",
          size: "rest",
          filesystem: { type: "ext4" },
          mount: "/",
          tree: treeOf([]),
        },
      ],
    };
    const onEsp: Entry = { path: "boot/efi/EFI", type: "directory" };
    const esp = planned({ layout }, [onEsp]).partitions[0]!.filesystem!.plan.tree;
    expect(esp.find("/EFI")).toBeDefined();
    expect(() => planned({ layout }, [onEsp, { path: "boot/kernel", type: "file" }])).toThrow(
      /^\/boot\/kernel: no partition takes it/,
    );
    expect(() => planned({ layout }, [onEsp, { path: "etc/fstab", type: "file" }])).toThrow(
      /^\/etc: no partition/,
    );
  });
});

describe("a filesystem that does not fill its partition", () => {
  const sized = (size: LayoutPartition["size"]): ImagePlan => {
    const filesystem = { type: "ext4", size: 3 * MIB } as const;
    const partitions = [{ name: "a", type: "linux-generic", size, filesystem, mount: "/" }];
    return planned({ layout: { name: "custom", table: "gpt", partitions }, additionalSpace: 0 });
  };

  it("has its size in a partition of any, and as many as that takes", () => {
    for (const [size, expected] of [
      [8 * MIB, 8 * MIB],
      ["minimal", 3 * MIB],
      ["rest", 3 * MIB],
    ] as const) {
      const [partition] = sized(size).partitions;
      expect(partition!.filesystem!.plan.size).toBe(3 * MIB);
      expect(partition!.size).toBeGreaterThanOrEqual(expected);
    }
  });

  it("does not fit into a disk that is too small for it", () => {
    const layout: Layout = {
      name: "custom",
      table: "gpt",
      partitions: [
        {
          name: "a",
          type: "linux-generic",
          size: "rest",
          filesystem: { type: "ext4", size: 30 * MIB },
          mount: "/",
        },
      ],
    };
    expect(() => planned({ layout, size: 10 * MIB })).toThrow(
      expect.objectContaining({ code: "DOES_NOT_FIT", missingBytes: 22 * MIB }),
    );
  });
});

describe("partitions that their maker places", () => {
  const partition = (name: string, more: Partial<LayoutPartition>): LayoutPartition => ({
    name,
    type: "linux-generic",
    size: 4 * MIB,
    ...more,
  });
  const warningsOf = (partitions: readonly LayoutPartition[], more: Partial<ImageSpec> = {}) =>
    planned({ layout: { name: "custom", table: "gpt", partitions }, size: 64 * MIB, ...more }).warnings;

  it("give a warning where they start within a physical sector", () => {
    expect(
      warningsOf([
        partition("bios", { type: "bios-boot", start: 34 * 512, size: 100 * 512 }),
        partition("a", { start: MIB + 512, filesystem: { type: "ext4" }, mount: "/" }),
        partition("b", { alignment: 4096 }),
        partition("c", { start: 16 * MIB - 2048 }),
        partition("d", {}),
      ]),
    ).toEqual([
      expect.stringContaining("partition a starts at 1,049,088 bytes, which is no multiple of 4 KiB"),
      expect.stringMatching(/partition c .*use a start such as 16M/),
    ]);
  });

  it("are not told of in presets, and not in a layout that another program would make", () => {
    for (const layout of ["legacy", "legacy+gpt", "efi", "efixbootldr", "hybrid"] as const) {
      expect(planned({ layout }).warnings).toEqual([]);
      expect(planned({ layout, compat: "nixpkgs", bootSize: "200M" }).warnings).toEqual([]);
    }
  });
});
