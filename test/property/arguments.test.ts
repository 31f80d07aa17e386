import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { type Extent, sweep } from "../../src/extents/index.ts";
import { planFat, writeFat } from "../../src/fat32/index.ts";
import { copyDisk, writeDisk } from "../../src/formats/index.ts";
import { gptUsableRange, planGpt, writeGpt } from "../../src/gpt/index.ts";
import {
  DiskwrightError,
  describe as described,
  image,
  memoryTarget,
  plan,
  treeOf,
  write,
} from "../../src/index.ts";
import { planMbr, protectiveMbr, writeMbr } from "../../src/mbr/index.ts";
import { assemble, directory, fileTarget, openImage, packers, stage } from "../../src/node/index.ts";
import { planQcow2 } from "../../src/qcow2/index.ts";
import { planSimg } from "../../src/simg/index.ts";
import { planVdi } from "../../src/vdi/index.ts";
import { planVhdx } from "../../src/vhdx/index.ts";
import { runInImage, startImage } from "../../src/vm/index.ts";
import { planVmdk } from "../../src/vmdk/index.ts";
import { planVpc } from "../../src/vpc/index.ts";

const UUID = "3e4c2b8a-0d35-4c9a-a0f2-6f2f0c1d7e11";
const MIB = 2 ** 20;
const tree = treeOf([{ path: "/a", type: "file", content: "x" }]);
const planned = plan(image({ root: tree, layout: "legacy", additionalSpace: 0 }));
const gpt = {
  sectors: 4096,
  diskGuid: UUID,
  partitions: [{ type: "linux-generic", guid: UUID, firstLba: 2048, lastLba: 3000, name: "a" }],
};
const mbr = {
  sectors: 4096,
  signature: 1,
  partitions: [{ type: 0x83, firstLba: 2048, sectors: 100, bootable: true }],
};

/** Values of every type, none of which any field takes for what it means. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  Number.NaN,
  -1,
  -0.5,
  1e300,
  "",
  "x\0y",
  "a word",
  10n ** 40n,
  Symbol("s"),
  [],
  [null],
  {},
  { a: 1 },
  () => 5,
  new Date(0),
  new Map(),
  new Uint8Array(3),
  new ArrayBuffer(3),
  Promise.resolve(5),
];

/** A call with right arguments, plain data in which any part can be exchanged. */
interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
  // biome-ignore lint/suspicious/noExplicitAny: it is given values of any type
  run(...args: any[]): unknown;
}

const bytesOf = async (extents: Iterable<Extent>): Promise<void> => sweep(extents, () => {});
const layout = {
  name: "own",
  table: "gpt",
  partitions: [
    { name: "esp", type: "esp", size: 40 * MIB, filesystem: { type: "fat", label: "ESP" }, mount: "/boot" },
    {
      name: "root",
      type: "linux-generic",
      size: "rest",
      weight: 1,
      filesystem: { type: "ext4", options: { inodeSize: 256 } },
      mount: "/",
    },
  ],
};
const entry = {
  path: "/d/f",
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0n,
  content: "x",
  xattrs: new Map(),
};

const CALLS: readonly Call[] = [
  {
    name: "treeOf",
    args: [
      [
        entry,
        { path: "/l", type: "symlink", target: "f" },
        { path: "/b", type: "block", device: { major: 1, minor: 2 } },
      ],
    ],
    run: treeOf,
  },
  {
    name: "image and plan",
    args: [
      {
        root: tree,
        layout,
        size: "128M",
        seed: "s",
        time: 0,
        sectorSize: 512,
        label: "root",
        unsupported: "error",
        fstab: "uuid",
        sizeMultiple: 1,
        bootCode: new Uint8Array(3),
        diskGuid: UUID,
        rootGuid: UUID,
        rootFilesystem: { type: "ext4", features: ["^has_journal"], reservedPercent: 1, errors: "panic" },
      },
    ],
    run: (spec) => plan(image(spec)),
  },
  { name: "describe", args: [planned], run: described },
  {
    name: "write",
    args: [planned, memoryTarget(), { format: "raw", ignoreSectorSize: false, physicalSectorSize: 512 }],
    run: write,
  },
  {
    name: "writeDisk",
    args: [
      { size: 1024, extents: () => [] },
      [{ format: "qcow2", target: memoryTarget(), clusterSize: 65536 }],
      { time: 0, seed: "s" },
    ],
    run: writeDisk,
  },
  {
    name: "copyDisk",
    args: [
      {
        size: 1024,
        read: () => new Uint8Array(1024),
        stored: async function* () {},
        format: "raw",
        problems: [],
        details: {},
      },
      [{ target: memoryTarget() }],
      {},
    ],
    run: copyDisk,
  },
  { name: "planGpt", args: [gpt], run: (spec) => bytesOf(writeGpt(planGpt(spec))) },
  { name: "writeGpt", args: [planGpt(gpt)], run: (one) => bytesOf(writeGpt(one)) },
  {
    name: "gptUsableRange",
    args: [{ sectors: 4096, sectorSize: 512, entryCount: 128, entriesLba: 2 }],
    run: gptUsableRange,
  },
  { name: "planMbr", args: [mbr], run: (spec) => bytesOf(writeMbr(planMbr(spec))) },
  { name: "protectiveMbr", args: [4096, { bootable: true, sectorSize: 512 }], run: protectiveMbr },
  {
    name: "planExt4",
    args: [
      tree,
      {
        uuid: UUID,
        label: "l",
        size: 8 * MIB,
        freeBytes: 0,
        blockSize: 4096,
        inodes: 20,
        time: 0,
        type: "ext4",
        features: [],
        directoryHash: "tea",
        nameCharacters: "signed",
        stride: 1,
        reservedFor: { uid: 0, gid: 0 },
        mountOptions: "",
      },
    ],
    run: (one, options) => bytesOf(writeExt4(planExt4(one, options))),
  },
  {
    name: "planFat",
    args: [
      tree,
      {
        serial: 1,
        bits: 12,
        label: "L",
        size: MIB,
        sectorSize: 512,
        sectorsPerCluster: 4,
        hiddenSectors: 0,
        time: 0,
        unsupported: "skip",
        freeBytes: 0,
      },
    ],
    run: (one, options) => bytesOf(writeFat(planFat(one, options))),
  },
  { name: "planQcow2", args: [{ size: MIB, clusterSize: 65536, compression: "none" }], run: planQcow2 },
  { name: "planVdi", args: [{ size: MIB, variant: "static", uuid: UUID }], run: planVdi },
  { name: "planVpc", args: [{ size: MIB, variant: "fixed", uuid: UUID }], run: planVpc },
  {
    name: "planVhdx",
    args: [{ size: 4 * MIB, blockSize: MIB, sectors: { logical: 512, physical: 4096 } }],
    run: planVhdx,
  },
  { name: "planVmdk", args: [{ size: MIB, uuid: UUID }], run: planVmdk },
  { name: "planSimg", args: [{ size: MIB }], run: planSimg },
  { name: "packers", args: [{ workers: 1, isPortable: true }], run: packers },
  { name: "fileTarget", args: ["/nonexistent/x", { force: false, sync: false }], run: fileTarget },
  { name: "directory", args: ["/nonexistent", { xattrs: "none" }], run: directory },
  { name: "openImage", args: ["/nonexistent", { format: "raw", isBackingAllowed: false }], run: openImage },
  {
    name: "stage",
    args: [
      { root: [{ source: "/nonexistent", target: "/" }], files: [{ path: "/a", text: "x" }], owner: "0:0" },
      { time: 0 },
    ],
    run: stage,
  },
  {
    name: "assemble",
    args: [{ files: [{ path: "/a", text: "x" }], layout: "none", size: "10M" }, { time: 0 }],
    run: assemble,
  },
  {
    name: "runInImage",
    args: [
      {
        image: "/nonexistent",
        root: { partition: 1, type: "ext4" },
        script: "",
        kernel: { path: "k", release: "1", bytes: new Uint8Array(1), modules: {} },
        qemu: "/nonexistent",
        dryRun: true,
      },
    ],
    run: runInImage,
  },
  {
    name: "startImage",
    args: [{ image: "/nonexistent", format: "raw", firmware: "bios", qemu: "/nonexistent", dryRun: true }],
    run: startImage,
  },
];

type Path = readonly (string | number)[];

/** The ways to all parts of some plain data. */
function* partsOf(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value ?? 0) === Object.prototype;
  if (!isPlain || path.length > 5) return;
  for (const key of Object.keys(value as object)) {
    yield* partsOf((value as Record<string, unknown>)[key], [
      ...path,
      Array.isArray(value) ? Number(key) : key,
    ]);
  }
}

/** The same data with another value at one place. */
function exchanged(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  const inner = exchanged((value as Record<string, unknown>)[key], rest, by);
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? inner : item));
  return { ...(value as object), [key]: inner };
}

/** What an error must be for its reader to find what is wrong. */
function isTold(error: unknown): boolean {
  if (error instanceof DiskwrightError) return true;
  // Those of the engine speak of properties and conversions, not of arguments.
  const ofEngine =
    /Cannot (read|mix|convert|destructure|set)|is not (a function|iterable|a constructor)|undefined \(/;
  return (error instanceof TypeError || error instanceof RangeError) && !ofEngine.test(error.message);
}

describe("arguments of any type", () => {
  it.each(CALLS.map((call) => [call.name, call] as const))("%s takes what is right", async (_, call) => {
    // What does not exist here is an error of its own.
    await Promise.resolve(call.args)
      .then((args) => call.run(...args))
      .catch((error: unknown) => expect(error).toBeInstanceOf(DiskwrightError));
  });

  it.each(CALLS.map((call) => [call.name, call] as const))(
    "%s names what is wrong, or is right",
    async (_, call) => {
      const paths = [...partsOf(call.args)];
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...paths), fc.constantFrom(...STRANGE), async (path, by) => {
          const args = exchanged(call.args, path, by) as unknown[];
          try {
            await call.run(...args);
          } catch (error) {
            if (!isTold(error))
              throw new Error(`${path.join(".")}: ${(error as Error).message}`, { cause: error });
          }
        }),
      );
    },
  );
});
