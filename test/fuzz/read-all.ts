import { gunzipSync } from "node:zlib";
import { DiskwrightError } from "../../src/errors.ts";
import { openExt4 } from "../../src/ext4/index.ts";
import { type ByteSource, sourceWindow } from "../../src/extents/index.ts";
import { readFat } from "../../src/fat32/index.ts";
import { openDisk } from "../../src/formats/index.ts";
import { describeDisk } from "../../src/harvest/index.ts";
import { image, plan } from "../../src/image/index.ts";
import { inspect } from "../../src/inspect/index.ts";
import { readMtree } from "../../src/mtree/index.ts";
import { readSpec } from "../../src/spec/read.ts";
import { TarReader } from "../../src/tar/index.ts";
import type { Kind } from "./corpus.ts";

// Reads all that an input can be asked for. An error of the reader is an answer; any other is a finding.

/** What reading an input came to. */
export interface Answer {
  /** What the reader says is wrong: nothing for an input that it takes without a word. */
  readonly complaints: readonly string[];
}

/** Content is read in parts, and no more of all files together than this: files may have many holes. */
const PART = 2 ** 20;
const MOST_CONTENT = 2 ** 25;
/** No reader needs so much memory for inputs of some MiB. */
const MOST_MEMORY = 768 * 2 ** 20;

/** Throws an error that is not the reader's when it asks for what is not there, or takes too much memory. */
function guarded(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(position, length): Uint8Array {
      if (!(position >= 0 && length >= 0 && position + length <= bytes.length)) {
        throw new RangeError(`read ${length} bytes at ${position} of ${bytes.length}`);
      }
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      if (arrayBuffers + heapUsed > MOST_MEMORY) throw new RangeError("more memory than a reader may take");
      return bytes.subarray(position, position + length);
    },
  };
}

/** Reads an input in every way there is for its kind. */
export async function readAll(kind: Kind, bytes: Uint8Array): Promise<Answer> {
  const complaints: string[] = [];
  const attempt = async (read: () => Promise<readonly string[]> | readonly string[]): Promise<void> => {
    try {
      complaints.push(...(await read()));
    } catch (error) {
      if (!(error instanceof DiskwrightError)) throw error;
      complaints.push(error.message);
    }
  };
  for (const read of READERS[kind]) await attempt(() => read(bytes));
  return { complaints };
}

const READERS: Readonly<Record<Kind, readonly ((bytes: Uint8Array) => Promise<string[]> | string[])[]>> = {
  disk: [readDisk],
  ext4: [checkExt4, walkExt4, inspectBytes],
  fat: [checkFat, walkFat, inspectBytes],
  tar: [readTar],
  mtree: [
    (bytes) => {
      readMtree(bytes, "input");
      return [];
    },
  ],
  spec: [
    (bytes) => {
      readSpec(new TextDecoder().decode(bytes), "input");
      return [];
    },
  ],
};

async function readDisk(bytes: Uint8Array): Promise<string[]> {
  const disk = await openDisk(guarded(bytes));
  const complaints = [...disk.problems];
  let end = 0;
  for await (const batch of disk.stored()) {
    for (const { position, length } of batch) {
      if (position < end || position + length > disk.size) throw new Error("stored parts are out of order");
      end = position + length;
      if (end < MOST_CONTENT) await disk.read(position, Math.min(length, PART));
    }
  }
  if (disk.size > 0) await disk.read(disk.size - 1, 1);
  const { table } = await inspect(disk);
  complaints.push(...table.problems);
  for (const { offset, size, filesystem } of table.partitions) {
    complaints.push(...(filesystem?.problems ?? []));
    if (filesystem === null || offset + size > disk.size) continue;
    const window = sourceWindow(disk, offset, size);
    await walkExt4(window);
    await walkFat(window);
  }
  if (disk.size <= MOST_CONTENT) plan(image((await describeDisk(disk)).spec));
  return complaints;
}

async function inspectBytes(bytes: Uint8Array): Promise<string[]> {
  const { table } = await inspect(guarded(bytes));
  return [...table.problems, ...table.partitions.flatMap(({ filesystem }) => filesystem?.problems ?? [])];
}

function sourceOf(input: Uint8Array | ByteSource): ByteSource {
  return input instanceof Uint8Array ? guarded(input) : input;
}

async function checkExt4(bytes: Uint8Array): Promise<string[]> {
  const volume = await openExt4(guarded(bytes));
  return volume === undefined ? ["no filesystem"] : [...(await volume.check())];
}

async function walkExt4(input: Uint8Array | ByteSource): Promise<string[]> {
  const volume = await openExt4(sourceOf(input));
  if (volume === undefined) return [];
  let left = MOST_CONTENT;
  for await (const { inode, type, size } of volume.entries()) {
    await volume.xattrs(inode);
    if (type !== "file") continue;
    for await (const { offset, length } of volume.dataRanges(inode)) {
      if (offset + length > size) throw new Error("a range of data ends behind its file");
    }
    const content = await volume.open(inode);
    for (let at = 0; at < size && left > 0; at += PART) {
      const length = Math.min(PART, size - at);
      await content.read(at, length);
      left -= length;
    }
    if (size > 0) await content.read(size - 1, 1);
  }
  return [...volume.problems];
}

async function checkFat(bytes: Uint8Array): Promise<string[]> {
  const volume = await readFat(guarded(bytes));
  return volume === undefined ? ["no filesystem"] : [...(await volume.check())];
}

async function walkFat(input: Uint8Array | ByteSource): Promise<string[]> {
  const volume = await readFat(sourceOf(input));
  if (volume === undefined) return [];
  let left = MOST_CONTENT;
  for await (const entry of volume.entries()) {
    if (entry.type !== "file") continue;
    for await (const part of volume.content(entry)) {
      left -= part.length;
      if (left < 0) break;
    }
  }
  return [...volume.problems];
}

async function readTar(bytes: Uint8Array): Promise<string[]> {
  let archive = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      archive = gunzipSync(bytes, { maxOutputLength: MOST_CONTENT });
    } catch {
      return ["no archive"];
    }
  }
  let at = 0;
  const reader = new TarReader({
    read(length): Uint8Array {
      const part = archive.subarray(at, at + Math.min(length, 65_536));
      at += part.length;
      return part;
    },
    skip(length): number {
      const count = Math.min(length, archive.length - at);
      at += count;
      return count;
    },
  });
  while ((await reader.next()) !== undefined) await reader.content(() => {});
  return [];
}
