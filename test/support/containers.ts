import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import fc from "fast-check";
import { expect } from "vitest";
import { identity } from "../../src/bytes/index.ts";
import {
  type ContainerFacts,
  type ContainerLayout,
  containerTarget,
  type Disk,
  type PackedLayout,
  packedTarget,
  UnitSet,
} from "../../src/container/index.ts";
import {
  type ByteSource,
  bytesExtent,
  bytesSource,
  type Extent,
  memoryTarget,
  sequentialTarget,
  sweep,
  type Target,
} from "../../src/extents/index.ts";
import { fileSource, fileTarget } from "../../src/node/index.ts";
import type { Packer } from "../../src/packing/index.ts";
import { run } from "./referee.ts";

/** A disk for tests: its size, and what is in it. */
export interface TestDisk {
  readonly size: number;
  /** Ascending, apart from each other. */
  readonly parts: readonly { readonly position: number; readonly bytes: Uint8Array }[];
}

/** Who made a container in tests, and when. */
export const FACTS: ContainerFacts = { identity: identity("test"), time: 1_700_000_000 };

/** Bytes that are never zero, and differ from place to place. */
export function pattern(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => 1 + ((index * 7 + (index >>> 9) * 31 + salt * 13) % 255));
}

/**
 * Random disks of up to so many units of `unitSize` bytes, with content that starts and ends at the edges of
 * units, of sectors, or anywhere.
 */
export function testDisks(unitSize: number, units: number): fc.Arbitrary<TestDisk> {
  const sectors = Math.ceil((unitSize * units) / 512);
  const edge = fc
    .tuple(fc.nat(units), fc.constantFrom(0, 0, -512, 512, -1, 1, -4096, 4096))
    .map(([unit, by]) => Math.max(0, unit * unitSize + by));
  const place = fc.oneof(edge, fc.nat(sectors * 512));
  return fc
    .record({
      size: fc.oneof(
        fc.nat(sectors).map((count) => count * 512),
        fc.tuple(fc.nat(units), fc.constantFrom(-1, 0, 1)).map(([unit, by]) => {
          return Math.min(sectors, Math.max(0, unit * (unitSize / 512) + by)) * 512;
        }),
      ),
      places: fc.uniqueArray(place, { maxLength: 10 }),
    })
    .map(({ size, places }) => {
      const edges = places.filter((at) => at <= size).sort((a, b) => a - b);
      const parts = [];
      for (let index = 0; index + 1 < edges.length; index += 2) {
        const [start, end] = [edges[index]!, edges[index + 1]!];
        if (end > start) parts.push({ position: start, bytes: pattern(end - start, index) });
      }
      return { size, parts };
    });
}

export function extentsOf({ parts }: TestDisk): Extent[] {
  return parts.map(({ position, bytes }) => bytesExtent(position, bytes));
}

/** The disk as a raw image. */
export function rawBytes({ size, parts }: TestDisk): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const part of parts) bytes.set(part.bytes, part.position);
  return bytes;
}

async function writeDisk(disk: TestDisk, target: Target): Promise<void> {
  await target.begin(disk.size);
  await sweep(extentsOf(disk), (position, bytes) => target.write(position, bytes));
  await target.commit();
}

/** The container of a disk, made in order of position, as for a pipe. */
export async function orderedContainer(layout: () => ContainerLayout, disk: TestDisk): Promise<Uint8Array> {
  const { unitSize } = layout();
  const units = new UnitSet();
  for (const { position, bytes } of disk.parts) units.addBytes(position, bytes.length, unitSize);
  const chunks: Uint8Array[] = [];
  const into = sequentialTarget((bytes) => void chunks.push(bytes.slice()));
  await writeDisk(disk, containerTarget({ layout, into, facts: () => FACTS, units }));
  return new Uint8Array(Buffer.concat(chunks));
}

/** The container of a disk, made without knowing it before. */
export async function patchedContainer(layout: () => ContainerLayout, disk: TestDisk): Promise<Uint8Array> {
  const into = memoryTarget();
  await writeDisk(disk, containerTarget({ layout, into, facts: () => FACTS }));
  return into.bytes;
}

/** The container of a disk in a file, made as for a pipe or, as `convert` does, without knowing it before. */
export async function saveContainer(
  layout: () => ContainerLayout,
  disk: TestDisk,
  path: string,
): Promise<void> {
  await writeDisk(disk, containerTarget({ layout, into: fileTarget(path), facts: () => FACTS }));
}

/** The container of a disk in compressed units: with what it says of itself known before, or not. */
export async function packedContainer(
  layout: PackedLayout,
  packer: Packer,
  disk: TestDisk,
  into: Target & { readonly bytes: Uint8Array } = memoryTarget(),
  isKnown = true,
): Promise<Uint8Array> {
  await writeDisk(disk, packedTarget({ layout, packer, into, facts: () => FACTS, isKnown }));
  return into.bytes;
}

/** The same into a file. */
export async function savePacked(
  layout: PackedLayout,
  packer: Packer,
  disk: TestDisk,
  path: string,
): Promise<void> {
  const into = fileTarget(path);
  await writeDisk(disk, packedTarget({ layout, packer, into, facts: () => FACTS, isKnown: false }));
}

/** Both ways to write a container give the same bytes, and the reader finds the disk in them. */
export async function expectRoundTrip(
  layout: () => ContainerLayout,
  open: (file: ByteSource) => Promise<Disk | undefined>,
  disk: TestDisk,
): Promise<Uint8Array> {
  const container = await orderedContainer(layout, disk);
  const patched = await patchedContainer(layout, disk);
  expect(patched.length).toBe(container.length);
  expect(Buffer.compare(patched, container)).toBe(0);
  await expectHolds(container, open, disk);
  return container;
}

/** A reader finds the disk in a container: by reading all of it, parts of it, and what is stored. */
export async function expectHolds(
  container: Uint8Array,
  open: (file: ByteSource) => Promise<Disk | undefined>,
  disk: TestDisk,
): Promise<void> {
  const opened = (await open(bytesSource(container)))!;
  const raw = rawBytes(disk);
  expect(opened.size).toBe(disk.size);
  expect(opened.problems).toEqual([]);
  expect(Buffer.compare(await opened.read(0, disk.size), raw)).toBe(0);
  for (const { position, bytes } of disk.parts) {
    const [from, until] = [Math.max(0, position - 3), Math.min(disk.size, position + bytes.length + 3)];
    expect(Buffer.compare(await opened.read(from, until - from), raw.subarray(from, until))).toBe(0);
  }
  const stored = new Uint8Array(disk.size);
  for await (const extents of opened.stored()) {
    await sweep(extents, (position, bytes) => stored.set(bytes, position));
  }
  expect(Buffer.compare(stored, raw)).toBe(0);
}

/** Sizes and contents at which formats go wrong: see each one's name. */
export const TELLING_DISKS: readonly (TestDisk & { readonly name: string })[] = [
  { name: "one sector", size: 512, parts: [{ position: 0, bytes: pattern(512, 1) }] },
  {
    name: "1 MiB less a sector",
    size: 2 ** 20 - 512,
    parts: [{ position: 4096, bytes: pattern(2 ** 19, 2) }],
  },
  {
    name: "1 MiB and a sector",
    size: 2 ** 20 + 512,
    parts: [{ position: 2 ** 20 - 512, bytes: pattern(1024, 3) }],
  },
  { name: "empty, 5 MiB", size: 5 * 2 ** 20, parts: [] },
  { name: "full, 7 MiB", size: 7 * 2 ** 20, parts: [{ position: 0, bytes: pattern(7 * 2 ** 20, 4) }] },
  {
    name: "2 GiB with data at the ends",
    size: 2 * 2 ** 30,
    parts: [
      { position: 0, bytes: pattern(70_000, 5) },
      { position: 2 * 2 ** 30 - 65_536, bytes: pattern(65_536, 6) },
    ],
  },
];

/** A disk of 3 TiB with content at its ends and in its middle. */
export const LARGE_DISK: TestDisk = {
  size: 3 * 2 ** 40,
  parts: [
    { position: 0, bytes: pattern(4096, 7) },
    { position: 1.5 * 2 ** 40 - 512, bytes: pattern(1024, 8) },
    { position: 3 * 2 ** 40 - 512, bytes: pattern(512, 9) },
  ],
};

/** The disk as a sparse raw file. */
export function saveRaw(disk: TestDisk, path: string): void {
  const descriptor = openSync(path, "w");
  ftruncateSync(descriptor, disk.size);
  for (const { position, bytes } of disk.parts) writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

/** Our reader finds in a file what is in a raw one, as far as anything is stored in either. */
export async function expectReads(
  path: string,
  open: (file: ByteSource) => Promise<Disk | undefined>,
  disk: TestDisk,
): Promise<void> {
  const file = fileSource(path);
  const opened = (await open(file))!;
  expect(opened.size).toBe(disk.size);
  for (const { position, bytes } of disk.parts) {
    expect(Buffer.compare(await opened.read(position, bytes.length), bytes)).toBe(0);
  }
  file.close();
}

/** qemu finds the same disk in a container as in a raw image. */
export function expectQemuEqual(raw: string, container: string, format: string): void {
  const { status, output } = run("qemu-img", ["compare", "-f", "raw", "-F", format, raw, container]);
  expect(output.trim()).toBe("Images are identical.");
  expect(status).toBe(0);
  const info = run("qemu-img", ["info", "-f", format, "--output=json", container]);
  expect(info.stderr).toBe("");
  const { "virtual-size": virtualSize } = JSON.parse(info.stdout) as { "virtual-size": number };
  // qemu counts in sectors; a raw file may end within one.
  expect(virtualSize).toBe(Math.ceil(statSync(raw).size / 512) * 512);
}

/** qemu-img check finds nothing wrong, and no leaks. */
export function expectQemuClean(container: string, format: string): void {
  const { status, output } = run("qemu-img", ["check", "-f", format, container]);
  expect(output).toContain("No errors were found on the image.");
  expect(output).not.toMatch(/ERROR|Leaked|Repairing|WARNING/);
  expect(status).toBe(0);
}

/** 7-Zip reads a container to its end, with no warning. `type` is its name for the format, such as `VHD`. */
export function expectSevenZip(container: string, type?: string): void {
  const { status, output } = run("7zz", ["t", ...(type === undefined ? [] : [`-t${type}`]), container]);
  expect(output).toContain("Everything is Ok");
  expect(output).not.toMatch(/warning|error/i);
  expect(status).toBe(0);
}

/** Whether a program is installed that is no referee of CI. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}
