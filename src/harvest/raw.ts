import { isZeros, ZERO_BLOCK } from "../container/index.ts";
import {
  type ByteSource,
  type CancelSignal,
  eventLoopTurn,
  readInto,
  sourceContent,
  sourceWindow,
} from "../extents/index.ts";
import type { Gap, RawContent } from "../layouts/index.ts";
import type { DataRange } from "../tree/index.ts";

/** How much is looked at in one go, and between two turns of the event loop. */
const PIECE = 256 * 1024;
const PIECES_BETWEEN_TURNS = 128;

/** A range of bytes of a disk; `end` is not included. */
export interface DiskPart {
  readonly start: number;
  readonly end: number;
}

/**
 * A part of a disk as it is. Where it is not zero is found by reading it; whole blocks of zeros are holes.
 * `undefined` when all of it is zeros.
 */
export async function rawPart(
  disk: ByteSource,
  { start, end }: DiskPart,
  signal?: CancelSignal,
): Promise<RawContent | undefined> {
  const buffer = new Uint8Array(Math.min(PIECE, end - start));
  const data: DataRange[] = [];
  let untilTurn = PIECES_BETWEEN_TURNS;
  for (let at = start; at < end; at += PIECE) {
    const piece = buffer.subarray(0, Math.min(PIECE, end - at));
    const reading = readInto(disk, at, piece);
    if (reading !== undefined) await reading;
    noteData(data, piece, at - start);
    if (--untilTurn > 0) continue;
    untilTurn = PIECES_BETWEEN_TURNS;
    await eventLoopTurn(signal);
  }
  if (data.length === 0) return undefined;
  return { content: sourceContent(sourceWindow(disk, start, end - start)), data };
}

/** Adds the blocks of a piece that are not all zeros to what lies before them. */
function noteData(data: DataRange[], piece: Uint8Array, position: number): void {
  for (let at = 0; at < piece.length; at += ZERO_BLOCK) {
    const block = piece.subarray(at, at + ZERO_BLOCK);
    if (isZeros(block)) continue;
    const offset = position + at;
    const last = data.at(-1);
    if (last !== undefined && last.offset + last.length === offset) {
      data[data.length - 1] = { offset: last.offset, length: last.length + block.length };
    } else data.push({ offset, length: block.length });
  }
}

/** What lies outside of partitions and tables in a part of a disk, if anything does. */
export async function gapIn(
  disk: ByteSource,
  name: string,
  part: DiskPart,
  signal?: CancelSignal,
): Promise<Gap[]> {
  if (part.end <= part.start) return [];
  const raw = await rawPart(disk, part, signal);
  return raw === undefined ? [] : [{ name, offset: part.start, raw }];
}
