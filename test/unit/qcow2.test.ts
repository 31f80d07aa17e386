import { deflateRawSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { bytesSource } from "../../src/extents/index.ts";
import { portableUnpackers } from "../../src/packing/index.ts";
import { openQcow2, planQcow2, qcow2Layout } from "../../src/qcow2/index.ts";
import {
  BACKING_FORMAT,
  COMPRESSED,
  COPIED,
  packedLengthShift,
  qcow2Extension,
  qcow2Header,
} from "../../src/qcow2/structures.ts";
import { orderedContainer, pattern, type TestDisk } from "../support/containers.ts";

const unpackers = await portableUnpackers();
const CLUSTER = 65_536;
const disk: TestDisk = { size: 16 * CLUSTER, parts: [{ position: CLUSTER, bytes: pattern(2 * CLUSTER, 1) }] };
const container = await orderedContainer(() => qcow2Layout(planQcow2({ size: disk.size })), disk);
const header = qcow2Header.fromBytes(container);
const L1 = Number(header.l1TableOffset);
const L2 = Number(new DataView(container.buffer).getBigUint64(L1) & (COPIED - 1n));

/** The container with some numbers of 64 bits changed, by their places. */
function changed(numbers: Readonly<Record<number, bigint>>, more = new Uint8Array(0)): Uint8Array {
  const copy = new Uint8Array(container.length + more.length);
  copy.set(container);
  copy.set(more, container.length);
  const view = new DataView(copy.buffer);
  for (const [place, number] of Object.entries(numbers)) view.setBigUint64(Number(place), number);
  return copy;
}

/** Goes through everything that is stored. */
async function walk(bytes: Uint8Array): Promise<number> {
  const { stored } = (await openQcow2(bytesSource(bytes), { unpackers }))!;
  let length = 0;
  for await (const extents of stored()) for (const extent of extents) length += extent.length;
  return length;
}

describe("the reader of qcow2", () => {
  it("goes through what is stored", async () => {
    expect(await walk(container)).toBe(2 * CLUSTER);
  });

  it.each([
    ["the header", 0],
    ["the L1 table", L1],
    ["an L2 table", L2],
    ["the refcount table", Number(header.refcountTableOffset)],
  ])("refuses content on %s", async (_, place) => {
    const message = `cluster 5 lies at ${place}, where the header or a table is`;
    if (place > 0)
      await expect(walk(changed({ [L2 + 8 * 5]: COPIED | BigInt(place) }))).rejects.toThrow(message);
    const packed = COMPRESSED | BigInt(place);
    await expect(walk(changed({ [L2 + 8 * 5]: packed }))).rejects.toThrow(message);
  });

  it.each([
    ["that QEMU marked corrupt", 2n, /marked it so/],
    ["that was not closed", 1n, /refcounts may be wrong/],
  ])("reads a file %s, and says so", async (_, bit, problem) => {
    const marked = changed({ 72: bit });
    expect(await walk(marked)).toBe(2 * CLUSTER);
    const { problems, read } = (await openQcow2(bytesSource(marked), { unpackers }))!;
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(await read(CLUSTER, 2 * CLUSTER)).toEqual(disk.parts[0]!.bytes);
  });

  it("refuses an L2 table on another table", async () => {
    await expect(walk(changed({ [L1]: COPIED | BigInt(header.refcountTableOffset) }))).rejects.toThrow(
      /L2 table 0 lies at \d+, where another table or the header is/,
    );
  });

  it("refuses a refcount table that is larger than any", async () => {
    const large = container.slice();
    new DataView(large.buffer).setUint32(0x38, 129);
    await expect(walk(large)).rejects.toThrow("its refcount table has 8.06 MiB, the most is 8 MiB");
  });

  describe("when clusters are compressed", () => {
    // 'A', again and again: the smallest that deflate can make of a cluster.
    const data = deflateRawSync(new Uint8Array(CLUSTER).fill(65), { windowBits: 12, level: 9 });
    const shift = BigInt(packedLengthShift(16));

    /** An entry for data at a place, with the sectors that it touches behind its first one. */
    function entry(place: number): bigint {
      const sectors = Math.floor((place + data.length - 1) / 512) - Math.floor(place / 512);
      return COMPRESSED | (BigInt(sectors) << shift) | BigInt(place);
    }

    /** A disk of `count` compressed clusters, each `step` bytes behind the one before. */
    function packed(count: number, step: number): Promise<Uint8Array> {
      const empty = planQcow2({ size: count * CLUSTER });
      const first: TestDisk = { size: count * CLUSTER, parts: [{ position: 0, bytes: pattern(512, 1) }] };
      return orderedContainer(() => qcow2Layout(empty), first).then((bytes) => {
        const copy = new Uint8Array(bytes.length + CLUSTER + count * step);
        copy.set(bytes);
        const view = new DataView(copy.buffer);
        const table = Number(
          view.getBigUint64(Number(qcow2Header.fromBytes(copy).l1TableOffset)) & (COPIED - 1n),
        );
        for (let index = 0; index < count; index++) {
          const place = bytes.length + index * step;
          copy.set(data, place);
          view.setBigUint64(table + 8 * index, entry(place));
        }
        return copy;
      });
    }

    it("reads as many as lie side by side", async () => {
      expect(await walk(await packed(2000, data.length))).toBe(2000 * CLUSTER);
    });

    it("refuses more than there is room for, which would be a disk without end", async () => {
      await expect(walk(await packed(2000, 0))).rejects.toThrow(
        /places more compressed parts of the disk around .* than can lie there/,
      );
    });
  });

  it.each(["raw", "qcow2", undefined])(
    "opens the disk below as the format that it is said to have, %s",
    async (format) => {
      const name = new TextEncoder().encode("base");
      const bytes = container.slice();
      const { headerLength } = { headerLength: new DataView(bytes.buffer).getUint32(0x64) };
      bytes.fill(0, headerLength, 4096);
      if (format !== undefined) {
        const text = new TextEncoder().encode(format);
        // Another extension lies before it.
        bytes.set(qcow2Extension.toBytes({ type: 0x12345678, length: 3 }), headerLength);
        bytes.set(qcow2Extension.toBytes({ type: BACKING_FORMAT, length: text.length }), headerLength + 16);
        bytes.set(text, headerLength + 24);
      }
      bytes.set(name, 2048);
      const view = new DataView(bytes.buffer);
      view.setBigUint64(8, 2048n);
      view.setUint32(16, name.length);
      const backing = vi.fn(async () => bytesSource(new Uint8Array(disk.size)));
      await openQcow2(bytesSource(bytes), { unpackers, backing });
      expect(backing).toHaveBeenCalledExactlyOnceWith("base", format);
    },
  );

  it.each([0, 4])("refuses a name of the disk below of %d bytes that names nothing", async (length) => {
    const bytes = container.slice();
    const view = new DataView(bytes.buffer);
    view.setBigUint64(8, 2048n);
    view.setUint32(16, length);
    const backing = vi.fn();
    await expect(openQcow2(bytesSource(bytes), { unpackers, backing })).rejects.toThrow(
      "the name of its backing file is none",
    );
    expect(backing).not.toHaveBeenCalled();
  });

  it("reads no extensions behind the start of the name of the disk below: version 2 may have no end of them", async () => {
    const bytes = container.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(4, 2);
    bytes.fill(0xff, qcow2Header.span, 4096);
    const name = new TextEncoder().encode("a base with a longer name");
    bytes.set(name, qcow2Header.span);
    view.setBigUint64(8, BigInt(qcow2Header.span));
    view.setUint32(16, name.length);
    const backing = vi.fn(async () => bytesSource(new Uint8Array(disk.size)));
    await openQcow2(bytesSource(bytes), { unpackers, backing });
    expect(backing).toHaveBeenCalledExactlyOnceWith("a base with a longer name", undefined);
  });
});

/** The largest size, in gibibytes, that is not refused. */
function largestSize(clusterSize: number): number {
  let [good, bad] = [1, 2 ** 21];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    try {
      planQcow2({ size: middle * 2 ** 30, clusterSize });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good * 2 ** 30;
}

describe("the plan of a qcow2", () => {
  it.each([
    [4096, "7.98 TiB"],
    [8192, "31.96 TiB"],
    [16_384, "127.92 TiB"],
    [32_768, "511.84 TiB"],
    [65_536, "1 PiB"],
  ])("with clusters of %d bytes has tables that qemu opens, up to %s", (clusterSize, largest) => {
    expect(() => planQcow2({ size: 2 ** 50 + 512, clusterSize })).toThrow(
      `it holds at most ${largest}; ${clusterSize < 65_536 ? "one with larger clusters" : "no format here"} holds more`,
    );
    const { refcountTableClusters, l1Entries } = planQcow2({ size: largestSize(clusterSize), clusterSize });
    expect(refcountTableClusters * clusterSize).toBeLessThanOrEqual(8 * 2 ** 20);
    expect(l1Entries * 8).toBeLessThanOrEqual(32 * 2 ** 20);
  });
});
