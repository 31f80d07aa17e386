import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type MbrPartitionSpec,
  type MbrPlan,
  type MbrSpec,
  PARTED_FILE_GEOMETRY,
  planMbr,
  writeMbr,
} from "../../src/mbr/index.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveSparse } from "../support/sparse-disk.ts";

/** Writes a sparse image that holds nothing but the table. */
function saveTable(path: string, plan: MbrPlan): void {
  saveSparse(path, writeMbr(plan), plan.sectors * plan.sectorSize);
}

const COMPLAINT = /Error|Warning|overlap|corrupt|invalid|greater than/;

function judge(path: string, plan: MbrPlan): void {
  saveTable(path, plan);
  const partitions = [...plan.partitions, ...plan.logical];
  const listing = run("sfdisk", ["-J", path]);
  expect(listing.stderr).toBe("");
  // On small disks it adds how finely it would place new partitions, which is not in the table.
  const { grain: _, ...listed } = JSON.parse(listing.stdout).partitiontable;
  expect(listed).toEqual({
    label: "dos",
    id: `0x${plan.signature.toString(16).padStart(8, "0")}`,
    device: path,
    unit: "sectors",
    sectorsize: 512,
    ...(partitions.length > 0 && {
      partitions: partitions.map(({ number, firstLba, sectors, type, bootable }) => ({
        node: `${path}${number}`,
        start: firstLba,
        size: sectors,
        type: type.toString(16),
        ...(bootable && { bootable }),
      })),
    }),
  });
  const sfdisk = run("sfdisk", ["--verify", path]);
  expect(sfdisk.stdout).toContain("No errors detected.");
  expect(sfdisk.output).not.toMatch(COMPLAINT);
  expectParted(path, plan);
}

function expectParted(path: string, plan: MbrPlan): void {
  const parted = run("env", [
    `PARTED_SECTOR_SIZE=${plan.sectorSize}`,
    ...["parted", "-s", "-m", path, "unit", "s", "print"],
  ]);
  expect(parted.status).toBe(0);
  expect(parted.output).not.toMatch(COMPLAINT);
  // It lists what lies inside the extended partition right behind it: order says nothing here.
  const lines = parted.stdout.trim().split("\n").slice(2);
  const ranges = [...plan.partitions, ...plan.logical].map(
    ({ number, firstLba, sectors }) => `${number}:${firstLba}s:${firstLba + sectors - 1}s:${sectors}s`,
  );
  expect(lines.map((line) => line.split(":").slice(0, 4).join(":")).sort()).toEqual(ranges.sort());
}

const place = fc.record({
  gap: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 6000 })),
  size: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 50_000 })),
  type: fc.constantFrom(0x01, 0x06, 0x07, 0x0c, 0x82, 0x83, 0x8e, 0xea, 0xef, 0xfd),
});

const layout: fc.Arbitrary<MbrSpec> = fc
  .record({
    signature: fc.integer({ min: 1, max: 0xffffffff }),
    before: fc.array(place, { maxLength: 3 }),
    inside: fc.array(place, { maxLength: 8 }),
    containerType: fc.constantFrom(0x05, 0x0f, 0x85),
    active: fc.nat({ max: 4 }),
  })
  .map(({ signature, before, inside, containerType, active }): MbrSpec => {
    let end = 1;
    const partitions = before.map(({ gap, size, type }, index): MbrPartitionSpec => {
      const firstLba = end + gap;
      end = firstLba + size;
      return { type, firstLba, sectors: size, bootable: index === active };
    });
    const firstLba = end;
    const logical = inside.map(({ gap, size, type }): MbrPartitionSpec => {
      const firstLba = end + 1 + gap;
      end = firstLba + size;
      return { type, firstLba, sectors: size };
    });
    // parted wants a track for the first extended boot record, even when it only reads a table.
    end += 64;
    if (logical.length > 0) partitions.push({ type: containerType, firstLba, sectors: end - firstLba });
    return { signature, sectors: end + 100, partitions, logical };
  });

describeWith(["sfdisk", "parted", "fdisk", "truncate"], "MBR referees", () => {
  const directory = scratchDirectory();

  it("accept random layouts", () => {
    fc.assert(
      fc.property(layout, (spec) => judge(join(directory, "random.img"), planMbr(spec))),
      { numRuns: 30 },
    );
  });

  it.each<[string, MbrSpec]>([
    ["no partition", { sectors: 2048, signature: 1, partitions: [] }],
    [
      "parted's geometry",
      {
        sectors: 4_194_304,
        signature: 0x0b49b940,
        partitions: [{ type: 0x83, firstLba: 2048, sectors: 4_190_208 }],
        geometry: PARTED_FILE_GEOMETRY,
      },
    ],
    [
      "the largest disk that sfdisk has no doubts about",
      {
        sectors: 2 ** 32 - 1,
        signature: 0xffffffff,
        partitions: [
          { number: 4, type: 0x83, firstLba: 2048, sectors: 2 ** 32 - 2048 - 2048 },
          { number: 2, type: 0x0c, firstLba: 2 ** 32 - 2048, sectors: 2047, bootable: true },
        ],
      },
    ],
    [
      "an empty extended partition",
      { sectors: 8192, signature: 7, partitions: [{ type: 0x0f, firstLba: 2048, sectors: 4096 }] },
    ],
  ])("accept %s", (_, spec) => judge(join(directory, "fixed.img"), planMbr(spec)));

  it("find our bytes equal to those that sfdisk writes", () => {
    const plan = planMbr({
      sectors: 524_288,
      signature: 0x11223344,
      partitions: [
        { type: 0x83, firstLba: 2048, sectors: 2048 },
        { type: 0x83, firstLba: 6144, sectors: 8192, bootable: true },
        { type: 0x0c, firstLba: 16_384, sectors: 4096 },
        { type: 0x05, firstLba: 20_480, sectors: 503_808 },
      ],
      logical: [
        { type: 0x83, firstLba: 22_528, sectors: 10_000 },
        { type: 0x82, firstLba: 45_056, sectors: 2048 },
        { type: 0x83, firstLba: 100_000, sectors: 20_000 },
      ],
    });
    const [ours, theirs] = [join(directory, "ours.img"), join(directory, "theirs.img")];
    saveTable(ours, plan);
    run("truncate", ["-s", String(plan.sectors * plan.sectorSize), theirs]);
    const script = [
      "label: dos",
      "label-id: 0x11223344",
      ...[...plan.partitions, ...plan.logical].map(
        ({ number, type, firstLba, sectors, bootable }) =>
          `${number}: start=${firstLba}, size=${sectors}, type=${type.toString(16)}${bootable ? ", bootable" : ""}`,
      ),
    ];
    const written = run("sfdisk", ["--no-tell-kernel", theirs], `${script.join("\n")}\n`);
    expect(written.output).toContain("The partition table has been altered");
    expect(run("cmp", [ours, theirs]).output).toBe("");
  });

  it("accept sectors of 4096 bytes", () => {
    const plan = planMbr({
      sectors: 16_384,
      sectorSize: 4096,
      signature: 0x11223344,
      partitions: [
        { type: 0xef, firstLba: 256, sectors: 1024 },
        { type: 0x05, firstLba: 2048, sectors: 4096 },
      ],
      logical: [
        { type: 0x83, firstLba: 2304, sectors: 256 },
        { type: 0x82, firstLba: 3072, sectors: 512 },
      ],
    });
    const path = join(directory, "4096.img");
    saveTable(path, plan);
    expectParted(path, plan);
    const fdisk = run("fdisk", ["-b", "4096", "-l", path]);
    expect(fdisk.output).not.toMatch(COMPLAINT);
    expect(fdisk.stdout).toContain("Disk identifier: 0x11223344");
    expect(fdisk.stdout).toMatch(/5 +2304 +2559 +256 +1M 83 Linux/);
    expect(fdisk.stdout).toMatch(/6 +3072 +3583 +512 +2M 82 Linux swap/);
  });
});
