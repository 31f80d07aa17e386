import { describe, expect, it } from "vitest";
import { bytesSource, sweep } from "../../src/extents/index.ts";
import { openSimg, planSimg, simgLayout } from "../../src/simg/index.ts";
import { CHUNK_TYPES, chunkHeader, sparseHeader } from "../../src/simg/structures.ts";
import { FACTS, orderedContainer, pattern, type TestDisk } from "../support/containers.ts";

const MIB = 2 ** 20;
const disk: TestDisk = {
  size: 10 * 4096,
  parts: [
    { position: 4096, bytes: pattern(8192, 1) },
    { position: 8 * 4096 + 5, bytes: pattern(10, 2) },
  ],
};
const container = await orderedContainer(() => simgLayout(planSimg({ size: disk.size })), disk);

interface Chunk {
  readonly type: keyof typeof CHUNK_TYPES;
  readonly blocks: number;
  readonly data?: Uint8Array;
  readonly header?: Partial<{ readonly type: number; readonly size: number }>;
}

/** A file of these chunks, with a header that fits. */
function sparse(
  chunks: readonly Chunk[],
  changes: Partial<ReturnType<typeof sparseHeader.fromBytes>> = {},
  extra: { readonly header?: number; readonly chunk?: number } = {},
): Uint8Array {
  const { header = 0, chunk = 0 } = extra;
  const parts = [
    sparseHeader.toBytes({
      magic: 0xed26ff3a,
      majorVersion: 1,
      minorVersion: 0,
      headerSize: 28 + header,
      chunkHeaderSize: 12 + chunk,
      blockSize: 4096,
      blocks: chunks.reduce((sum, { blocks }) => sum + blocks, 0),
      chunks: chunks.length,
      checksum: 0,
      ...changes,
    }),
    new Uint8Array(header).fill(0xee),
  ];
  for (const { type, blocks, data = new Uint8Array(0), header: other } of chunks) {
    parts.push(
      chunkHeader.toBytes({
        type: CHUNK_TYPES[type],
        reserved: 0,
        blocks,
        size: 12 + chunk + data.length,
        ...other,
      }),
      new Uint8Array(chunk).fill(0xee),
      data,
    );
  }
  return new Uint8Array(Buffer.concat(parts));
}

const open = (bytes: Uint8Array) => openSimg(bytesSource(bytes));

/** The chunks of a file, as they are in it. */
function chunksOf(file: Uint8Array): { type: number; blocks: number; size: number; position: number }[] {
  const chunks = [];
  for (let position = sparseHeader.span; position < file.length; ) {
    const { type, blocks, size } = chunkHeader.fromBytes(file, position);
    chunks.push({ type, blocks, size, position });
    position += size;
  }
  return chunks;
}

describe("an android-sparse image", () => {
  it("has a header, raw chunks for content and chunks that fill with zeros", () => {
    expect(sparseHeader.span).toBe(28);
    expect(chunkHeader.span).toBe(12);
    expect(sparseHeader.fromBytes(container)).toEqual({
      magic: 0xed26ff3a,
      majorVersion: 1,
      minorVersion: 0,
      headerSize: 28,
      chunkHeaderSize: 12,
      blockSize: 4096,
      blocks: 10,
      chunks: 5,
      checksum: 0,
    });
    const { raw, fill } = CHUNK_TYPES;
    expect(chunksOf(container)).toEqual([
      { type: fill, blocks: 1, size: 16, position: 28 },
      { type: raw, blocks: 2, size: 12 + 8192, position: 44 },
      { type: fill, blocks: 5, size: 16, position: 44 + 12 + 8192 },
      { type: raw, blocks: 1, size: 12 + 4096, position: 60 + 12 + 8192 },
      { type: fill, blocks: 1, size: 16, position: 60 + 24 + 12_288 },
    ]);
  });

  it.each([
    [0, 4096, 0],
    [4096, 4096, 1],
    [3 * 2048, 2048, 3],
    [5 * 1024, 1024, 5],
    [4096 + 512, 512, 9],
    [(2 ** 32 - 1) * 4096, 4096, 2 ** 32 - 1],
    [(2 ** 32 - 1) * 512, 512, 2 ** 32 - 1],
  ])("of %d bytes has blocks of %d", (size, blockSize, blocks) => {
    expect(planSimg({ size })).toEqual({ size, blockSize, blocks });
  });

  it.each([
    [511, "sectors of 512 bytes"],
    [2 ** 32 * 4096, "it holds at most"],
    [2 ** 41 + 512, "make its size a multiple of 4 KiB"],
  ])("of %d bytes is refused", (size, reason) => {
    expect(() => planSimg({ size })).toThrow(reason);
  });

  it("has no chunk of more than 64 MiB", () => {
    const most = (64 * MIB) / 4096;
    const layout = simgLayout(planSimg({ size: 400 * MIB }));
    // Content from 130 MiB to 260 MiB: 64 + 64 + 2 MiB on both sides of its start.
    const first = (130 * MIB) / 4096;
    const end = first + 2 * most + 512;
    const start = 28 + 3 * 16;
    const places = [start + 12, start + 24 + most * 4096, start + 36 + 2 * most * 4096];
    // One unit by itself, and then as many as lie side by side.
    expect(layout.place(first, first + 1)).toEqual({ position: places[0], end: first + 1 });
    expect(layout.place(first + 1, end)).toEqual({ position: places[0]! + 4096, end: first + most });
    expect(layout.place(first + most, end)).toEqual({ position: places[1], end: first + 2 * most });
    expect(layout.place(first + 2 * most, end)).toEqual({ position: places[2], end });
    const { size, extents } = layout.finish(FACTS);
    expect(size).toBe(start + 36 + 130 * MIB + 3 * 16);
    const headers = [...extents].map(({ position, length }) => [position, length]);
    expect(headers).toEqual([
      [0, start + 12],
      [places[1]! - 12, 12],
      [places[2]! - 12, 12],
      [size - 3 * 16, 3 * 16],
    ]);
  });

  it("is small and quick when there is little in it, however large", () => {
    const layout = simgLayout(planSimg({ size: 3 * 2 ** 40 }));
    layout.place(2 ** 28, 2 ** 28 + 1);
    const { size, extents } = layout.finish(FACTS);
    const parts = [...extents];
    expect(size).toBe(28 + 3 * 2 ** 14 * 16 + 12 + 4096);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
    expect(parts.reduce((sum, { length }) => sum + length, 4096)).toBe(size);
  });
});

describe("the reader of android-sparse", () => {
  it("knows what is none", async () => {
    expect(await open(new Uint8Array(4096))).toBeUndefined();
    expect(await open(new Uint8Array(27))).toBeUndefined();
  });

  it("tells what it is", async () => {
    const opened = await open(container);
    expect(opened).toMatchObject({ format: "android-sparse", size: disk.size, problems: [] });
    expect(opened!.details).toEqual({ blockSize: 4096, chunks: 5 });
  });

  const raw = pattern(4096, 3);
  const kinds: readonly Chunk[] = [
    { type: "fill", blocks: 2, data: Uint8Array.of(1, 2, 3, 4) },
    { type: "fill", blocks: 1, data: Uint8Array.of(1, 2, 3, 4) },
    { type: "raw", blocks: 1, data: raw },
    { type: "dontCare", blocks: 2 },
    { type: "fill", blocks: 1, data: Uint8Array.of(0xff, 0xff, 0xff, 0xff) },
    { type: "fill", blocks: 1, data: new Uint8Array(4) },
    { type: "raw", blocks: 0 },
    { type: "crc32", blocks: 0, data: Uint8Array.of(1, 2, 3, 4) },
  ];
  const expected = new Uint8Array(8 * 4096);
  for (let at = 0; at < 3 * 4096; at += 4) expected.set([1, 2, 3, 4], at);
  expected.set(raw, 3 * 4096);
  expected.fill(0xff, 6 * 4096, 7 * 4096);

  it.each([
    ["usual headers", sparse(kinds)],
    ["longer headers", sparse(kinds, {}, { header: 9, chunk: 5 })],
    ["a later minor version", sparse(kinds, { minorVersion: 7 })],
  ])("reads all kinds of chunks, with %s", async (_, bytes) => {
    const opened = (await open(bytes))!;
    expect(opened.problems).toEqual([]);
    expect(await opened.read(0, opened.size)).toEqual(expected);
    for (const [from, length] of [
      [1, 2],
      [4095, 4],
      [3 * 4096 - 3, 7],
      [6 * 4096 - 1, 4098],
    ] as const) {
      expect(await opened.read(from, length)).toEqual(expected.slice(from, from + length));
    }
    const stored = new Uint8Array(opened.size);
    let extents = 0;
    for await (const batch of opened.stored()) {
      extents += batch.length;
      await sweep(batch, (position, part) => stored.set(part, position));
    }
    expect(stored).toEqual(expected);
    expect(extents).toBe(3);
  });

  it("reads a disk without blocks", async () => {
    const opened = await open(sparse([]));
    expect(opened!.size).toBe(0);
    expect(await opened!.read(0, 0)).toEqual(new Uint8Array(0));
  });

  it("does not grow with what it is filled with", async () => {
    const blocks = 2 ** 32 - 1;
    const opened = (await open(sparse([{ type: "fill", blocks, data: Uint8Array.of(5, 6, 7, 8) }])))!;
    expect(await opened.read(opened.size - 3, 3)).toEqual(Uint8Array.of(6, 7, 8));
    const lengths = [];
    for await (const batch of opened.stored()) lengths.push(...batch.map(({ length }) => length));
    expect(lengths).toEqual([blocks * 4096]);
  });

  it("tells what lies behind the last chunk", async () => {
    const opened = await open(new Uint8Array([...container, 1, 2]));
    expect(opened!.problems).toEqual(["2 bytes lie behind the last chunk of the android-sparse file"]);
  });

  const one: Chunk = { type: "raw", blocks: 1, data: raw };
  const fill: Chunk = { type: "fill", blocks: 1, data: new Uint8Array(4) };
  it.each([
    ["another version", sparse([one], { majorVersion: 2 }), "it has version 2.0"],
    ["a header that is too short", sparse([one], { headerSize: 27 }), "its header has 27 bytes"],
    ["headers of chunks that are too short", sparse([one], { chunkHeaderSize: 11 }), "chunks have 11 bytes"],
    ["blocks of 0 bytes", sparse([one], { blockSize: 0 }), "no multiple of 4"],
    ["blocks of 4098 bytes", sparse([one], { blockSize: 4098 }), "no multiple of 4"],
    ["blocks that are too large", sparse([one], { blockSize: 2 ** 25 }), "16 MiB are read"],
    ["a disk without end", sparse([], { blockSize: 2 ** 24, blocks: 2 ** 32 - 1 }), "larger than any"],
    [
      "more chunks than there can be",
      sparse([one], { chunks: 2 ** 32 - 1 }),
      "chunks do not fit in its 4,136 bytes",
    ],
    ["a chunk that does not exist", sparse([{ ...one, header: { type: 0xcac5 } }]), "is of type 0xcac5"],
    [
      "a raw chunk of another size",
      sparse([{ ...one, header: { size: 4096 } }]),
      "its 1 blocks ask for 4108",
    ],
    ["a chunk smaller than its header", sparse([{ ...fill, header: { size: 0 } }]), "has 0 bytes"],
    ["a fill of 8 bytes", sparse([{ ...fill, data: new Uint8Array(8) }]), "has 20 bytes"],
    ["content nobody cares about", sparse([{ ...one, type: "dontCare" }]), "its 1 blocks ask for 12"],
    ["a checksum with blocks", sparse([{ ...fill, type: "crc32" }]), "is a checksum and has 1 blocks"],
    ["too many blocks", sparse([fill, one], { blocks: 1 }), "chunk 1 at byte 44 goes beyond the 1 blocks"],
    ["too few blocks", sparse([fill, one], { blocks: 3 }), "its chunks have 2 blocks, its header tells of 3"],
    [
      "a chunk that was cut off",
      container.slice(0, 100),
      "chunk 1 at byte 44 has 8,204 bytes, but the file ends at 100",
    ],
    [
      "a chunk that begins behind the end",
      sparse([one, fill]).slice(0, -16),
      "a chunk should start at byte 4136",
    ],
    ["a chunk whose value was cut off", container.slice(0, -1), "the file ends at 12387: it was cut off"],
  ])("refuses %s", async (_, bytes, reason) => {
    await expect(open(bytes)).rejects.toThrow(reason);
  });

  it("refuses too many chunks", async () => {
    const chunks = 2 ** 24 + 1;
    const start = sparse([], { chunks });
    const file = {
      size: 28 + chunks * 12,
      read: (position: number, length: number) => start.subarray(position, position + length),
    };
    await expect(openSimg(file)).rejects.toThrow("it has 16777217 chunks, 16777216 are read");
  });
});
