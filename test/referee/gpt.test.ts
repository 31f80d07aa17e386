import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { bytesSource } from "../../src/extents/index.ts";
import {
  type GptPartitionSpec,
  type GptPlan,
  type GptSpec,
  gptUsableRange,
  PARTITION_ATTRIBUTES,
  partitionTypeName,
  planGpt,
  readGpt,
  writeGpt,
} from "../../src/gpt/index.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveSparse } from "../support/sparse-disk.ts";

const DISK_GUID = "97fd5997-f390-0b4a-a3f8-d106c1723aea";
const FIRST_GUID = "1c06f03b-704e-4657-b9cd-681a087a2fdc";
const SECOND_GUID = "970c694f-afd0-4b99-b750-cdb7a329ab6f";
const MIB_SECTORS = 2048;

/** Writes a sparse image that holds nothing but the table. */
function saveTable(path: string, plan: GptPlan): void {
  saveSparse(path, writeGpt(plan), plan.sectors * plan.sectorSize);
}

/** Attributes in the words of libfdisk. */
function attributeText(attributes: bigint): string {
  const names = ["RequiredPartition", "NoBlockIOProtocol", "LegacyBIOSBootable"];
  const bits = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (attributes >> BigInt(bit)) & 1n);
  const words = bits.filter((bit) => bit < 3).map((bit) => names[bit]!);
  const own = bits.filter((bit) => bit >= 48);
  if (own.length > 0) words.push(`GUID:${own.join(",")}`);
  return words.join(" ");
}

function expectedListing(path: string, plan: GptPlan): unknown {
  return {
    label: "gpt",
    id: plan.diskGuid.toUpperCase(),
    device: path,
    unit: "sectors",
    firstlba: plan.firstUsableLba,
    lastlba: plan.lastUsableLba,
    sectorsize: 512,
    ...(plan.entryCount !== 128 && { "table-length": String(plan.entryCount) }),
    ...(plan.partitions.length > 0 && {
      partitions: plan.partitions.map(({ number, type, guid, firstLba, lastLba, name, attributes }) => ({
        node: `${path}${number}`,
        start: firstLba,
        size: lastLba - firstLba + 1,
        type: type.toUpperCase(),
        uuid: guid.toUpperCase(),
        ...(name !== "" && { name }),
        ...(attributes !== 0n && { attrs: attributeText(attributes) }),
      })),
    }),
  };
}

/** What must occur in no output of a judge that found nothing; their exit status proves little. */
const COMPLAINT = /Problem|Caution|Warning|Error|corrupt|mismatch|Creating new/;

function judge(path: string, plan: GptPlan): void {
  saveTable(path, plan);
  const sgdisk = run("sgdisk", ["-v", path]);
  expect(sgdisk.stdout).toContain("No problems found");
  expect(sgdisk.output.replace("No problems found", "")).not.toMatch(COMPLAINT);
  expectSfdisk(path, plan);
  expectParted(path, plan);
}

function expectSfdisk(path: string, plan: GptPlan): void {
  const listing = run("sfdisk", ["-J", path]);
  // On small disks it adds how finely it would place new partitions, which is not in the table.
  const { grain: _, ...listed } = JSON.parse(listing.stdout).partitiontable;
  expect(listed).toEqual(expectedListing(path, plan));
  expect(listing.stderr).toBe("");
  const sfdisk = run("sfdisk", ["--verify", path]);
  expect(sfdisk.stdout).toContain("No errors detected.");
  expect(sfdisk.output).not.toMatch(COMPLAINT);
}

function expectParted(path: string, plan: GptPlan): void {
  const parted = run("env", [
    "LC_ALL=C.UTF-8", // In the C locale it complains about names outside of ASCII.
    `PARTED_SECTOR_SIZE=${plan.sectorSize}`,
    ...["parted", "-s", "-m", path, "unit", "s", "print"],
  ]);
  expect(parted.status).toBe(0);
  // It knows no characters outside of the basic plane. sfdisk has judged the names.
  expect(parted.output.replaceAll("Warning: failed to translate partition name", "")).not.toMatch(COMPLAINT);
  const lines = parted.stdout.trim().split("\n");
  // What it calls the flag of the protective partition is that of the first entry, whoever has it.
  const isFirst = plan.protectiveMbrEntry !== "last";
  const flag = (isFirst ? plan.protectiveMbrBootable : plan.hybrid[0]!.bootable) ? "pmbr_boot" : "";
  expect(lines[1]).toMatch(
    new RegExp(`:${plan.sectors}s:file:${plan.sectorSize}:${plan.sectorSize}:gpt:.*:${flag};$`),
  );
  const ranges = plan.partitions
    .toSorted((a, b) => a.firstLba - b.firstLba)
    .map(({ number, firstLba, lastLba }) => `${number}:${firstLba}s:${lastLba}s:${lastLba - firstLba + 1}s`);
  expect(lines.slice(2).map((line) => line.split(":").slice(0, 4).join(":"))).toEqual(ranges);
}

/** An architecture in the words of libfdisk: `ARM-64`, `MIPS-32 LE`. */
function architectureOf(label: string): string {
  return label
    .toLowerCase()
    .replace(/^(arm|ia|loongarch|mips|risc-v)-(32|64)/, "$1$2")
    .replace("risc-v", "riscv")
    .replace("mips32", "mips")
    .replace("tile-gx", "tilegx")
    .replace("ppc64le", "ppc64-le")
    .replace(/ le$/, "-le");
}

/** Layouts whose partitions start and end on whole MiB: sgdisk cautions against others. */
const layout: fc.Arbitrary<GptSpec> = fc
  .record({
    diskGuid: fc.uuid(),
    places: fc.uniqueArray(
      fc.record({
        gap: fc.nat({ max: 3 }),
        size: fc.integer({ min: 1, max: 40 }),
        guid: fc.uuid(),
        type: fc.oneof(
          fc.constantFrom("esp", "swap", "bios-boot", "linux-generic", "root-x86-64"),
          fc.uuid(),
        ),
        name: fc
          .string({ unit: fc.constantFrom(..."aZ09 -_\"\\/'é☃💾𝔹"), maxLength: 36 })
          .filter((text) => text.length <= 36),
        attributes: fc
          .tuple(fc.bigInt({ min: 0n, max: 7n }), fc.bigInt({ min: 0n, max: 0xffffn }))
          .map(([low, high]) => low | (high << 48n)),
      }),
      { minLength: 1, maxLength: 9, selector: ({ guid }) => guid },
    ),
    tail: fc.nat({ max: 2 * MIB_SECTORS }),
  })
  .chain(({ diskGuid, places, tail }) => {
    let end = 1;
    const partitions = places.map(({ gap, size, ...rest }): GptPartitionSpec => {
      const start = end + gap;
      end = start + size;
      return { ...rest, firstLba: start * MIB_SECTORS, lastLba: end * MIB_SECTORS - 1 };
    });
    const sectors = end * MIB_SECTORS + 33 + tail;
    return fc
      .shuffledSubarray([...partitions.keys()], { minLength: partitions.length })
      .map((order) => ({ diskGuid, sectors, partitions: order.map((index) => partitions[index]!) }));
  });

const whole = (spec: Pick<GptSpec, "sectors" | "sectorSize" | "entryCount">): GptPartitionSpec => ({
  type: "linux-generic",
  guid: FIRST_GUID,
  ...(({ firstUsableLba, lastUsableLba }) => ({ firstLba: firstUsableLba, lastLba: lastUsableLba }))(
    gptUsableRange(spec),
  ),
});

describeWith(["sgdisk", "sfdisk", "parted", "fdisk", "partx", "truncate"], "GPT referees", () => {
  const directory = scratchDirectory();

  it("accept random layouts", () => {
    fc.assert(
      fc.property(layout, (spec) => judge(join(directory, "random.img"), planGpt(spec))),
      { numRuns: 25 },
    );
  });

  it.each<[string, GptSpec]>([
    // With one usable sector parted sees no GPT, so not 68.
    ["an empty table on the smallest disk", { sectors: 69, diskGuid: DISK_GUID, partitions: [] }],
    [
      "entry 1 behind entry 2",
      {
        sectors: 65_536,
        diskGuid: DISK_GUID,
        partitions: [
          { type: "esp", guid: FIRST_GUID, firstLba: 16_384, lastLba: 32_767, name: "ESP" },
          { type: "bios-boot", guid: SECOND_GUID, firstLba: 2048, lastLba: 4095, name: "no-fs" },
        ],
      },
    ],
    [
      "entries with numbers of their own",
      {
        sectors: 65_536,
        diskGuid: DISK_GUID,
        partitions: [
          { number: 128, type: "esp", guid: FIRST_GUID, firstLba: 2048, lastLba: 4095 },
          { number: 15, type: "swap", guid: SECOND_GUID, firstLba: 4096, lastLba: 8191 },
        ],
      },
    ],
    [
      "256 entries",
      {
        sectors: 65_536,
        entryCount: 256,
        diskGuid: DISK_GUID,
        partitions: [{ number: 256, type: "esp", guid: FIRST_GUID, firstLba: 2048, lastLba: 4095 }],
      },
    ],
    [
      "a disk of 3 TiB, past what the protective MBR can say",
      {
        sectors: 3 * 2 ** 31,
        diskGuid: DISK_GUID,
        partitions: [
          {
            type: "root-x86-64",
            guid: FIRST_GUID,
            firstLba: 2048,
            lastLba: 3 * 2 ** 31 - 2049,
            name: "root",
          },
        ],
      },
    ],
  ])("accept %s", (_, spec) => judge(join(directory, "fixed.img"), planGpt(spec)));

  it.each([3, 16, 2048, 4064])("find entries that start at sector %i", (entriesLba) => {
    const path = join(directory, "elsewhere.img");
    const root = { type: "root-x86-64", guid: FIRST_GUID, firstLba: 4096, lastLba: 129_023, name: "root" };
    const plan = planGpt({ sectors: 131_072, diskGuid: DISK_GUID, entriesLba, partitions: [root] });
    saveTable(path, plan);
    const verdict = run("sgdisk", ["-v", path]);
    // It remarks on the gap, and on nothing else.
    expect(verdict.stdout.match(/Warning.*/g)).toEqual([
      expect.stringContaining("There is a gap between the main metadata"),
    ]);
    expect(verdict.stdout).toContain("No problems found");
    expect(verdict.output).not.toMatch(/Problem:|Caution|corrupt|Creating new/);
    expectSfdisk(path, plan);
    expectParted(path, plan);
    // The prober of libblkid, on which udev and mount rest.
    const probed = run("partx", ["-s", "-g", "-o", "NR,START,END,UUID", path]);
    expect(probed.stdout.trim().split(/\s+/)).toEqual(["1", "4096", "129023", FIRST_GUID]);
    expect(probed.stderr).toBe("");
  });

  it("find our entries where sgdisk puts them, byte for byte behind the MBR", () => {
    const sectors = 131_072;
    const root = { type: "root-x86-64", guid: FIRST_GUID, firstLba: 4096, lastLba: 129_023, name: "root" };
    const plan = planGpt({ sectors, diskGuid: DISK_GUID, entriesLba: 2048, partitions: [root] });
    const [ours, theirs] = [join(directory, "ours.img"), join(directory, "theirs.img")];
    saveTable(ours, plan);
    run("truncate", ["-s", String(sectors * 512), theirs]);
    const { type } = plan.partitions[0]!;
    const made = run("sgdisk", [
      ...["-j", "2048", "-U", DISK_GUID, "-n", "1:4096:129023", "-t", `1:${type}`, "-u", `1:${FIRST_GUID}`],
      ...["-c", "1:root", theirs],
    ]);
    expect(made.output).toContain("completed successfully");
    // It writes the true CHS of the last sector into the protective MBR.
    expect(run("cmp", ["-i", "512", ours, theirs]).output).toBe("");
  });

  const HYBRID: GptSpec = {
    sectors: 131_072,
    diskGuid: DISK_GUID,
    partitions: [
      { type: "ms-basic-data", guid: FIRST_GUID, firstLba: 2048, lastLba: 34_815, name: "boot" },
      { type: "root-arm64", guid: SECOND_GUID, firstLba: 34_816, lastLba: 129_023, name: "root" },
    ],
  };

  it("see both tables of a hybrid", () => {
    const path = join(directory, "hybrid.img");
    const plan = planGpt({ ...HYBRID, hybrid: [{ number: 1, type: 0x0c, bootable: true }] });
    saveTable(path, plan);
    const sgdisk = run("sgdisk", ["-v", path]);
    expect(sgdisk.stdout).toContain("No problems found");
    expect(sgdisk.output.replace("No problems found", "")).not.toMatch(COMPLAINT);
    expect(run("sgdisk", ["-p", path]).output).not.toMatch(/invalid|corrupt|caution/i);
    expectSfdisk(path, plan);
    expectParted(path, plan);
    const probed = run("partx", ["-s", "-g", "-o", "NR,START,END", path]).stdout.trim().split("\n");
    expect(probed.map((line) => line.trim().split(/\s+/).join(" "))).toEqual([
      "1 2048 34815",
      "2 34816 129023",
    ]);
    const seen = run("fdisk", ["-l", "-t", "dos", path]).stdout;
    expect(seen).toMatch(/1 +\* +2048 +34815 +32768 .*c W95 FAT32/);
    expect(seen).toMatch(/2 +1 +2047 +2047 .*ee GPT/);
  });

  it("see that the protective partition is active", () => {
    const path = join(directory, "active.img");
    const plan = planGpt({ ...HYBRID, protectiveMbrBootable: true });
    saveTable(path, plan);
    expectParted(path, plan);
    expect(run("fdisk", ["-l", "-t", "dos", path]).stdout).toMatch(/1 +\* +1 +131071 +131071 .*ee GPT/);
    expect(run("sgdisk", ["-v", path]).stdout).toContain("No problems found");
  });

  it.each(["1:2", "2:EE"])("make hybrids that are read without a problem: %s", async (which) => {
    const path = join(directory, "theirs.img");
    saveTable(path, planGpt(HYBRID));
    expect(run("sgdisk", ["-h", which, path]).output).toContain("completed successfully");
    const numbers = which.split(":").filter((number) => number !== "EE");
    const hybrid = numbers.map((number) => ({
      number: Number(number),
      type: number === "1" ? 0x07 : 0x83,
      bootable: false,
    }));
    const table = await readGpt(bytesSource(readFileSync(path)));
    const protectiveMbrEntry = which.endsWith("EE") ? "last" : "first";
    expect(table).toMatchObject({ problems: [], hybrid, protectiveMbrEntry });
    // Theirs and ours differ in nothing but the last CHS of the protective partition.
    const ours = join(directory, "ours.img");
    saveTable(ours, planGpt({ ...HYBRID, hybrid, protectiveMbrEntry }));
    const differing = run("cmp", ["-l", ours, path]).stdout.trim().split("\n");
    const entry = which.endsWith("EE") ? 16 : 0;
    expect(differing.map((line) => Number.parseInt(line, 10) - 1 - entry)).toEqual([451, 452, 453]);
  });

  it("name types as we do", () => {
    const named = run("sfdisk", ["-T", "-X", "gpt"]).stdout.matchAll(
      /^([0-9A-F-]{36}) +Linux (root|\/usr)( verity)?( sign\.)? \((.*)\)$/gim,
    );
    const labels = [...named].map(([, guid, where, verity, signature, architecture]) => {
      const form = verity === undefined ? "" : signature === undefined ? "-verity" : "-verity-sig";
      return [guid!.toLowerCase(), `${where!.replace("/", "")}-${architectureOf(architecture!)}${form}`];
    });
    // 18 architectures in 2.38; older and newer ones know others.
    expect(labels.length).toBeGreaterThan(40);
    for (const [guid, name] of labels) expect([guid, partitionTypeName(guid!)]).toEqual([guid, name]);
  });

  it("find our bytes equal to those that sfdisk writes", () => {
    const sectors = 131_072;
    const plan = planGpt({
      sectors,
      diskGuid: DISK_GUID,
      partitions: [
        { type: "esp", guid: FIRST_GUID, firstLba: 2048, lastLba: 34_815, name: "ESP" },
        {
          number: 3,
          type: "root-x86-64",
          guid: SECOND_GUID,
          firstLba: 34_816,
          lastLba: 131_038,
          name: "root ☃", // It writes no characters outside of the basic plane.
          attributes: PARTITION_ATTRIBUTES.growFileSystem | PARTITION_ATTRIBUTES.legacyBootable,
        },
      ],
    });
    const [ours, theirs] = [join(directory, "ours.img"), join(directory, "theirs.img")];
    saveTable(ours, plan);
    run("truncate", ["-s", String(sectors * 512), theirs]);
    const script = [
      "label: gpt",
      `label-id: ${DISK_GUID}`,
      "first-lba: 34",
      `1: start=2048, size=32768, type=${plan.partitions[0]!.type}, uuid=${FIRST_GUID}, name="ESP"`,
      `3: start=34816, size=96223, type=${plan.partitions[1]!.type}, uuid=${SECOND_GUID}, name="root ☃", attrs="LegacyBIOSBootable GUID:59"`,
    ];
    const written = run(
      "env",
      ["LC_ALL=C.UTF-8", "sfdisk", "--no-tell-kernel", theirs],
      `${script.join("\n")}\n`,
    );
    expect(written.output).toContain("The partition table has been altered");
    expect(run("cmp", [ours, theirs]).output).toBe("");
  });

  it("accept sectors of 4096 bytes", () => {
    const sectors = 16_384;
    const plan = planGpt({
      sectors,
      sectorSize: 4096,
      diskGuid: DISK_GUID,
      partitions: [
        { type: "esp", guid: FIRST_GUID, firstLba: 256, lastLba: 4095, name: "ESP" },
        { type: "linux-generic", guid: SECOND_GUID, firstLba: 4096, lastLba: sectors - 6, name: "root" },
      ],
    });
    const path = join(directory, "4096.img");
    saveTable(path, plan);
    expectParted(path, plan);
    const fdisk = run("fdisk", ["-b", "4096", "-l", path]);
    expect(fdisk.output).not.toMatch(COMPLAINT);
    expect(fdisk.stdout).toContain("Disklabel type: gpt");
    expect(fdisk.stdout).toContain(`Disk identifier: ${DISK_GUID.toUpperCase()}`);
    expect(fdisk.stdout).toMatch(/1 +256 +4095 +3840 +15M EFI System/);
    expect(fdisk.stdout).toMatch(/2 +4096 +16378 +12283 +48M Linux filesystem/);
  });

  it.each([512, 4096] as const)(
    "accept one partition from limit to limit, sectors of %i bytes",
    (sectorSize) => {
      const disk = { sectors: 8192, sectorSize };
      const plan = planGpt({ ...disk, diskGuid: DISK_GUID, partitions: [whole(disk)] });
      const path = join(directory, `whole-${sectorSize}.img`);
      saveTable(path, plan);
      expectParted(path, plan);
    },
  );
});
