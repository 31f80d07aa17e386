import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { bytesSource, sweep } from "../../src/extents/index.ts";
import { type FatOptions, type FatPlan, planFat, readFat, writeFat } from "../../src/fat32/index.ts";
import { foldedName } from "../../src/fat32/names.ts";
import { bootSector16, bootSector32, informationSector } from "../../src/fat32/structures.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();

/** Writes the volume as a sparse file: FAT32 has 33 MiB and more. */
async function save(
  name: string,
  entries: Entry[],
  options: FatOptions,
): Promise<{ path: string; plan: FatPlan }> {
  const plan = planFat(treeOf(entries), options);
  const path = join(scratch, name);
  rmSync(path, { force: true });
  const file = openSync(path, "w");
  ftruncateSync(file, plan.size);
  await sweep(writeFat(plan), (position, bytes) => void writeSync(file, bytes, 0, bytes.length, position));
  closeSync(file);
  return { path, plan };
}

/** Its status proves little: it must have nothing to say. */
function expectSound(path: string, plan: FatPlan): void {
  const { status, stdout, stderr } = run("fsck.fat", ["-n", path]);
  const lines = stdout.trimEnd().split("\n");
  expect({ status, stderr, lines: lines.length }, stdout + stderr).toEqual({
    status: 0,
    stderr: "",
    lines: 2,
  });
  expect(lines[0]).toMatch(/^fsck\.fat \d/);
  expect(lines[1]).toContain(` files, ${plan.usedClusters}/${plan.clusters} clusters`);
}

interface Found {
  readonly path: string;
  readonly content: string | undefined;
  readonly seconds: number;
}

function found(directory: string, below = ""): Found[] {
  return readdirSync(join(directory, below)).flatMap((name) => {
    const path = below === "" ? name : `${below}/${name}`;
    const status = lstatSync(join(directory, path));
    const isDirectory = status.isDirectory();
    const content = isDirectory ? undefined : readFileSync(join(directory, path)).toString("latin1");
    return [
      { path, content, seconds: Math.floor(status.mtimeMs / 1000) },
      ...(isDirectory ? found(directory, path) : []),
    ];
  });
}

const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);

/** What the volume should hold: without times, or with those of files in steps of two seconds. */
function wanted(plan: FatPlan): { path: string; content: string | undefined }[] {
  const list: { path: string; content: string | undefined }[] = [];
  for (let row = 1; row < plan.tree.length; row++) {
    const content = plan.tree.isFile(row) ? plan.tree.content(row) : undefined;
    list.push({
      path: new TextDecoder("utf-8", { ignoreBOM: true }).decode(plan.tree.path(row)).slice(1),
      content: content?.type === "bytes" ? Buffer.from(content.bytes).toString("latin1") : undefined,
    });
  }
  return list.sort(byPath);
}

const withoutTime = ({ path, content }: Found): { path: string; content: string | undefined } => ({
  path,
  content,
});

function emptyDirectory(name: string): string {
  const directory = join(scratch, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  return directory;
}

function copiedWithMtools(path: string): Found[] {
  const out = emptyDirectory("mcopy");
  // mcopy knows the code page of the host by its locale.
  const { status, output } = run("sh", [
    "-c",
    `LC_ALL=C.UTF-8 mcopy -s -n -m -i "${path}" ::* "${out}" 2>&1`,
  ]);
  expect({ status, output }).toEqual({ status: 0, output: "" });
  return found(out).sort(byPath);
}

function extractedWith7zip(path: string): Found[] {
  const out = emptyDirectory("7zz");
  const { status, output } = run("sh", ["-c", `LC_ALL=C.UTF-8 7zz x -tFAT -o"${out}" "${path}" 2>&1`]);
  expect(status, output).toBe(0);
  expect(output).toContain("Everything is Ok");
  return found(out).sort(byPath);
}

const FIXED: Entry[] = [
  {
    path: "EFI/BOOT/BOOTX64.EFI",
    type: "file",
    content: "MZ".repeat(40_000),
    mtime: 1_700_000_001_500_000_000n,
  },
  { path: "EFI/BOOT", type: "directory", mtime: 1_600_000_000_000_000_000n },
  { path: "loader/entries/nixos-generation-1.conf", type: "file", content: "title NixOS\n" },
  { path: "loader/entries/nixos-generation-2.conf", type: "file", content: "title NixOS 2\n" },
  { path: "LOADER~1", type: "file", content: "a name that looks made up" },
  { path: "empty", type: "file" },
  { path: "empty directory", type: "directory" },
  { path: "ünï cödé 日本.txt", type: "file", content: "u" },
  { path: ".hidden", type: "file", content: "h" },
  { path: "a+b=[c];d,e", type: "file", content: "p" },
  ...[13, 26, 39, 255].map((length): Entry => ({ path: `lengths/${"n".repeat(length)}`, type: "file" })),
  { path: Array.from({ length: 60 }, (_, at) => `d${at}`).join("/"), type: "directory" },
  ...Array.from(
    { length: 300 },
    (_, at): Entry => ({ path: `many/a common prefix ${at}`, type: "file", content: `${at}` }),
  ),
];

const KINDS: [string, Partial<FatOptions>][] = [
  ["FAT12, smallest", { bits: 12 }],
  ["FAT12, sectors of 4096 bytes", { bits: 12, sectorSize: 4096 }],
  ["FAT12, clusters of 2 KiB", { bits: 12, size: 2_000_000, label: "EFI" }],
  ["FAT16, smallest", { bits: 16, label: "LOADER" }],
  ["FAT16, sectors of 4096 bytes", { bits: 16, sectorSize: 4096 }],
  ["FAT16, 500 MiB", { bits: 16, size: 500 * 2 ** 20 }],
  ["FAT32, smallest", { label: "EFI" }],
  ["FAT32, 100 MiB", { size: 100 * 2 ** 20 }],
  ["FAT32, 512 MiB", { size: 512 * 2 ** 20, label: "ESP", hiddenSectors: 2048 }],
  ["FAT32, sectors of 1024 bytes", { sectorSize: 1024 }],
  ["FAT32, sectors of 2048 bytes", { sectorSize: 2048 }],
  ["FAT32, sectors of 4096 bytes", { sectorSize: 4096, label: "ESP" }],
  ["FAT32, clusters of 64 KiB", { sectorsPerCluster: 128 }],
];

describeWith(["fsck.fat", "mcopy", "mdir", "minfo", "7zz"], "a FAT volume, judged by others", () => {
  it.each(KINDS)("is sound and holds every name and byte: %s", async (_, options) => {
    const { path, plan } = await save("fixed.img", FIXED, { serial: 0x1234abcd, ...options });
    expectSound(path, plan);
    const copied = copiedWithMtools(path);
    expect(copied.map(withoutTime)).toEqual(wanted(plan));
    const time = (name: string) => copied.find((entry) => entry.path === name)!.seconds;
    expect(time("EFI/BOOT/BOOTX64.EFI")).toBe(1_700_000_000);
    expect(time("empty")).toBe(315_532_800);
    expect(extractedWith7zip(path).map(withoutTime)).toEqual(wanted(plan));
    const list = run("mdir", ["-i", path, "::"]).stdout;
    if (plan.label === "") expect(list).toContain("has no label");
    else expect(list).toContain(`is ${plan.label}`);
    expect(list).toContain("Volume Serial Number is 1234-ABCD");
    const facts = run("minfo", ["-i", path, "::"]).stdout;
    expect(facts).toContain(`sector size: ${plan.sectorSize} bytes`);
    expect(facts).toContain(`cluster size: ${plan.sectorsPerCluster} sectors`);
    if (plan.type === "fat32") expect(facts).toContain(`free clusters=${plan.freeClusters}`);
  });

  it("is sound and holds every name and byte: random trees", async () => {
    const name = fc
      .string({ unit: fc.constantFrom(..."abcXYZ019-_~+.é日 "), minLength: 1, maxLength: 30 })
      .filter((text) => !/[. ]$|^[. ]/.test(text));
    const entry = fc.record({
      names: fc.array(name, { minLength: 1, maxLength: 5 }),
      content: fc.uint8Array({ maxLength: 9000 }),
    });
    const options = fc.record({
      bits: fc.constantFrom<(12 | 16 | 32)[]>(12, 12, 16, 32),
      label: fc.constantFrom("", "ESP"),
      sectorSize: fc.constantFrom<(512 | 4096)[]>(512, 512, 4096),
      serial: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 30, size: "max" }), options, async (list, chosen) => {
        const taken = new Set<string>();
        const entries = list.flatMap(({ names, content }): Entry[] => {
          // Every directory is a new one, so that no two names can clash.
          const path = names
            .map((part, at) => (at === names.length - 1 ? part : `${taken.size} ${part}`))
            .join("/");
          if (taken.has(foldedName(path))) return [];
          taken.add(foldedName(path));
          return [{ path, type: "file", content }];
        });
        const { path, plan } = await save("random.img", entries, chosen);
        expectSound(path, plan);
        if (entries.length === 0) return;
        expect(copiedWithMtools(path).map(withoutTime)).toEqual(wanted(plan));
        expect(extractedWith7zip(path).map(withoutTime)).toEqual(wanted(plan));
      }),
      { numRuns: 40 },
    );
  });

  it("is sound at the limits of each kind", async () => {
    for (const options of [
      { bits: 12, size: (1 + 32 + 24 + 4084) * 512, sectorsPerCluster: 1 },
      { bits: 16, size: (1 + 32 + 32 + 4087) * 512, sectorsPerCluster: 1 },
      { bits: 16, size: (1 + 32 + 512 + 65_524) * 512, sectorsPerCluster: 1 },
      { bits: 32, size: 34_089_472 },
    ] as const) {
      const { path, plan } = await save("limit.img", [], { serial: 1, ...options });
      expect([4084, 4087, 65_524, 65_525]).toContain(plan.clusters);
      expectSound(path, plan);
    }
  });

  it("is sound with a full directory", async () => {
    const entries = Array.from(
      { length: 20_000 },
      (_, at): Entry => ({ path: `d/prefix${at}.conf`, type: "file" }),
    );
    const { path, plan } = await save("full.img", entries, { serial: 1 });
    expect(plan.inventory.directorySlots[1]).toBeGreaterThan(59_000);
    expectSound(path, plan);
  });

  it("holds sparse files, and files larger than 2 GiB", async () => {
    const size = 3 * 2 ** 30;
    const read = (_offset: number, into: Uint8Array): number => {
      into.fill(0x61);
      return into.length;
    };
    const entries: Entry[] = [
      {
        path: "sparse",
        type: "file",
        content: { type: "function", size, read },
        data: [{ offset: 2 ** 31 + 5, length: 3 }],
      },
      { path: "after", type: "file", content: "after" },
    ];
    const { path, plan } = await save("sparse.img", entries, { serial: 1, size: 4 * 2 ** 30 });
    expectSound(path, plan);
    expect(run("mcopy", ["-n", "-i", path, "::after", "-"]).stdout).toBe("after");
    expect(run("sh", ["-c", `7zz l -tFAT "${path}"`]).stdout).toContain(String(size));
  });
});

describeWith(["mkfs.fat"], "the geometry of a FAT volume, beside mkfs.fat", () => {
  const sizes = [
    33, 34, 40, 48.5, 63, 64, 100, 127.25, 128, 200, 256, 257, 260, 300, 333, 511, 512, 1024, 2048, 4096,
    8192, 20_000,
  ];
  const cases = sizes.flatMap((mebibytes) =>
    ([512, 1024, 2048, 4096] as const)
      .filter((sectorSize) => mebibytes * 2048 >= (66_581 * sectorSize) / 512)
      .map((sectorSize): [number, 512 | 1024 | 2048 | 4096] => [mebibytes, sectorSize]),
  );

  it.each(cases)("%d MiB, sectors of %i bytes", async (mebibytes, sectorSize) => {
    const size = mebibytes * 2 ** 20;
    const { path, plan } = await save("ours.img", [], { size, sectorSize, serial: 0x1234abcd, label: "ESP" });
    const theirs = join(scratch, "theirs.img");
    rmSync(theirs, { force: true });
    run("truncate", ["-s", String(size), theirs]);
    const arguments_ = [
      "--invariant",
      "-a",
      "-F",
      "32",
      "-S",
      String(sectorSize),
      "-s",
      String(plan.sectorsPerCluster),
    ];
    const made = run("mkfs.fat", [
      ...arguments_,
      "-R",
      "32",
      "-i",
      "1234ABCD",
      "-n",
      "ESP",
      "-g",
      "255/63",
      theirs,
    ]);
    expect(made.status, made.output).toBe(0);
    const [mine, other] = [path, theirs].map((file) => bootSector32.fromBytes(firstBytes(file, 512)));
    const estimate = other!.fatSectors32 - mine!.fatSectors32;
    // mkfs.fat estimates the length of its tables, and is one sector above what they need now and then.
    expect([0, 1]).toContain(estimate);
    const neutral = {
      jump: new Uint8Array(3),
      oemName: new Uint8Array(8),
      sectors32: Math.floor(size / sectorSize),
    };
    expect(mine!.head.sectors32).toBeGreaterThanOrEqual(neutral.sectors32 - 1);
    expect({ ...mine, head: { ...mine!.head, ...neutral }, bootCode: 0, fatSectors32: 0 }).toEqual({
      ...other,
      head: { ...other!.head, ...neutral },
      bootCode: 0,
      fatSectors32: 0,
    });
    const [free, theirFree] = [path, theirs].map(
      (file) => informationSector.fromBytes(firstBytes(file, 2 * sectorSize), sectorSize).freeClusters,
    );
    const moreClusters = Math.ceil((2 * estimate) / plan.sectorsPerCluster);
    expect(free! - theirFree!).toBeGreaterThanOrEqual(estimate === 0 ? 0 : moreClusters - 1);
    expect(free! - theirFree!).toBeLessThanOrEqual(moreClusters);
    expect(free).toBe(plan.clusters - 1);
  });

  it.each([
    [12, 1, 4],
    [12, 4, 4],
    [16, 9, 4],
    [16, 100, 4],
    [16, 300, 16],
  ] as const)("FAT%i of %i MiB", async (bits, mebibytes, sectorsPerCluster) => {
    const size = mebibytes * 2 ** 20;
    const { path, plan } = await save("ours.img", [], {
      bits,
      size,
      serial: 1,
      label: "ESP",
      sectorsPerCluster,
    });
    const theirs = join(scratch, "theirs.img");
    rmSync(theirs, { force: true });
    run("truncate", ["-s", String(size), theirs]);
    const shape = [
      "-F",
      String(bits),
      "-s",
      String(sectorsPerCluster),
      "-R",
      "1",
      "-r",
      "512",
      "-g",
      "255/63",
    ];
    expect(
      run("mkfs.fat", ["--invariant", "-a", ...shape, "-i", "00000001", "-n", "ESP", theirs]).status,
    ).toBe(0);
    const [mine, other] = [path, theirs].map((file) => bootSector16.fromBytes(firstBytes(file, 512)));
    const neutral = { jump: 0, oemName: 0 };
    expect({ ...mine, head: { ...mine!.head, ...neutral }, bootCode: 0 }).toEqual({
      ...other,
      head: { ...other!.head, ...neutral },
      bootCode: 0,
    });
    expect(planFat(treeOf([]), { bits, size, serial: 1 }).clusters).toBe(plan.clusters);
  });
});

describeWith(["mkfs.fat", "mcopy"], "readFat, beside mkfs.fat and mcopy", () => {
  it.each([
    [12, 1],
    [16, 16],
    [32, 40],
  ])("reads FAT%i", async (bits, mebibytes) => {
    const image = join(scratch, "foreign.img");
    const input = emptyDirectory("foreign");
    rmSync(image, { force: true });
    run("sh", [
      "-c",
      `truncate -s ${mebibytes}M "${image}" && mkfs.fat -F ${bits} -n FOREIGN -i 89ABCDEF "${image}" && cd "${input}" &&
       mkdir -p lower/UPPER && echo one >lower/UPPER/lower.txt && echo two >"a long name.text" &&
       head -c 100000 /dev/zero >zeros && LC_ALL=C.UTF-8 mcopy -s -i "${image}" * ::`,
    ]);
    const volume = (await readFat(bytesSource(readFileSync(image))))!;
    expect(volume).toMatchObject({ type: `fat${bits}`, label: "FOREIGN", serial: 0x89abcdef, problems: [] });
    expect(await volume.check()).toEqual([]);
    const contents: Record<string, string | undefined> = {};
    for await (const entry of volume.entries()) {
      contents[entry.path] =
        entry.type === "file" ? Buffer.from(await volume.readFile(entry)).toString() : undefined;
    }
    expect(contents).toEqual({
      "a long name.text": "two\n",
      lower: undefined,
      "lower/UPPER": undefined,
      "lower/UPPER/lower.txt": "one\n",
      zeros: "\0".repeat(100_000),
    });
  });
});

/** The start of a file that may have gigabytes. */
function firstBytes(path: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, "r");
  readSync(file, bytes, 0, length, 0);
  closeSync(file);
  return bytes;
}
