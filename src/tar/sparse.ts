import { byteKey } from "../bytes/index.ts";
import type { DataRange } from "../tree/index.ts";
import { decimalNumber, fieldNumber } from "./numbers.ts";
import type { PaxRecord, PaxRecords } from "./pax.ts";
import { gnuSparseExtension, gnuSparseHeader } from "./structures.ts";

// Sparse files: their size, and which parts of them follow in the archive. GNU tar has four ways to say it: a type
// of its own ("S") with the map in the header, and three in pax, numbered 0.0, 0.1 and 1.0.

/** The map of a sparse file. */
export interface SparseMap {
  /** Bytes of the file. */
  readonly size: number;
  /** The parts that are in the archive, one behind the other. */
  readonly data: readonly DataRange[];
}

/** A map of more parts than these is an attack, not a file. */
export const MOST_PARTS = 1_000_000;

/** What is wrong with a map whose parts are `stored` bytes in the archive, or `undefined`. */
export function sparseProblem({ size, data }: SparseMap, stored: number): string | undefined {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of data) {
    if (offset < end) return "the map of its sparse parts is not in order";
    end = offset + length;
    sum += length;
    if (!Number.isSafeInteger(end) || end > size) return "the map of its sparse parts goes beyond its size";
  }
  return sum === stored
    ? undefined
    : `the map of its sparse parts tells of ${sum} bytes, ${stored} are stored`;
}

/** Parts without the empty ones, by which GNU tar marks the end of a file. */
export function withoutEmpty(data: readonly DataRange[]): DataRange[] {
  return data.filter(({ length }) => length > 0);
}

/** The map in a header of type S; more of it follows in blocks of its own while `isExtended`. */
export function gnuMap(
  block: Uint8Array,
): { readonly map: SparseMap; readonly isExtended: boolean } | undefined {
  const { sparse, isExtended, realSize } = gnuSparseHeader.fromBytes(block);
  const data = gnuParts(sparse);
  const size = fieldNumber(realSize);
  if (data === undefined || size === undefined || size < 0) return undefined;
  return { map: { size, data }, isExtended: isExtended !== 0 };
}

/** The parts in a block behind a header of type S. */
export function gnuMapExtension(
  block: Uint8Array,
): { readonly data: readonly DataRange[]; readonly isExtended: boolean } | undefined {
  const { sparse, isExtended } = gnuSparseExtension.fromBytes(block);
  const data = gnuParts(sparse);
  return data && { data, isExtended: isExtended !== 0 };
}

function gnuParts(
  entries: readonly { readonly offset: Uint8Array; readonly length: Uint8Array }[],
): DataRange[] | undefined {
  const data: DataRange[] = [];
  for (const entry of entries) {
    // An entry that is not used is empty.
    if (entry.offset[0] === 0 || entry.length[0] === 0) break;
    const offset = fieldNumber(entry.offset);
    const length = fieldNumber(entry.length);
    if (offset === undefined || length === undefined || offset < 0 || length < 0) return undefined;
    data.push({ offset, length });
  }
  return data;
}

/** Which format a file's records have: 1.0 keeps the map elsewhere. `undefined` for a file that is not sparse. */
export function sparseFormat(records: PaxRecords): "0" | "1.0" | "unknown" | undefined {
  const major = textOf(records, "GNU.sparse.major");
  const minor = textOf(records, "GNU.sparse.minor");
  if (major === "1" && minor === "0") return "1.0";
  if (major !== undefined && major !== "0") return "unknown";
  return records.has("GNU.sparse.size") ? "0" : undefined;
}

function textOf(records: PaxRecords, keyword: string): string | undefined {
  const value = records.get(keyword);
  return value && byteKey(value);
}

/** The map in the records of formats 0.0 and 0.1; a text when it is wrong. */
export function paxMap(records: PaxRecords, repeated: readonly PaxRecord[]): SparseMap | string {
  const list = records.get("GNU.sparse.map");
  const size = textOf(records, "GNU.sparse.size") ?? "";
  const numbers =
    list !== undefined
      ? byteKey(list).split(",")
      : repeated
          .filter(({ keyword }) => keyword === "GNU.sparse.offset" || keyword === "GNU.sparse.numbytes")
          .map(({ value }) => byteKey(value));
  return mapOf(size, numbers[0] === "" ? [] : numbers);
}

function mapOf(size: string, numbers: readonly string[]): SparseMap | string {
  const data = parts(numbers);
  const bytes = decimalNumber(size);
  if (data === undefined || bytes === undefined) return UNREADABLE;
  return { size: bytes, data };
}

function parts(numbers: readonly string[]): DataRange[] | undefined {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * MOST_PARTS) return undefined;
  const data: DataRange[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    const offset = decimalNumber(numbers[index]!);
    const length = decimalNumber(numbers[index + 1]!);
    if (offset === undefined || length === undefined) return undefined;
    data.push({ offset, length });
  }
  return data;
}

/**
 * Reads the map of format 1.0, which stands before the content: a count, then offset and length of each part, each
 * in decimal on a line of its own, padded to a whole block. `block` gives the next block, `undefined` at the end.
 */
export async function readMap10(
  records: PaxRecords,
  block: () => Promise<Uint8Array | undefined>,
): Promise<SparseMap | string> {
  const numbers: string[] = [];
  let wanted = 1;
  let rest = "";
  while (numbers.length < wanted) {
    const bytes = await block();
    if (bytes === undefined) return "the map of its sparse parts is cut off";
    const lines = (rest + byteKey(bytes)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(line);
      if (numbers.length > 1) continue;
      const count = decimalNumber(line);
      if (count === undefined || count > MOST_PARTS) return UNREADABLE;
      wanted = 1 + 2 * count;
    }
    // Behind the last number there is padding of any length.
    if (numbers.length < wanted && rest.length > LONGEST_NUMBER) return UNREADABLE;
  }
  return mapOf(textOf(records, "GNU.sparse.realsize") ?? "", numbers.slice(1));
}

const UNREADABLE = "the map of its sparse parts cannot be read";

/** Digits of a number below 2^53, and some zeros before it. */
const LONGEST_NUMBER = 32;
