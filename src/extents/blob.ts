import { checkArgument } from "../arguments/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { FunctionContent } from "./content.ts";

/** The part of a `Blob` or `File` of the web that is used, so that the core needs no host types. */
export interface BlobLike {
  /** Bytes that it holds. */
  readonly size: number;
  slice(start?: number, end?: number): { arrayBuffer(): Promise<ArrayBuffer> };
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Whether a value is a `Blob` or a `File`, of this realm or of another one. Their `type` says nothing of that. */
export function isBlob(value: unknown): value is BlobLike {
  if (typeof value !== "object" || value === null) return false;
  const { size, slice, arrayBuffer } = value as Partial<BlobLike>;
  return typeof size === "number" && typeof slice === "function" && typeof arrayBuffer === "function";
}

/**
 * The content of a `Blob` or `File`, which is read in parts when it is written: a file of any size will do.
 *
 * @throws TypeError for what is neither.
 */
export function blobContent(blob: BlobLike): FunctionContent {
  checkArgument("blob", blob, { expected: BLOB, problem: blobProblem });
  return {
    type: "function",
    size: blob.size,
    async read(offset, into): Promise<number> {
      const part = await partOf(blob, offset, Math.min(blob.size, offset + into.length));
      into.set(part);
      return part.length;
    },
  };
}

const BLOB = "a Blob or a File";

function blobProblem(value: unknown) {
  return isBlob(value) ? undefined : { path: "", message: `is no Blob: give ${BLOB}` };
}

async function partOf(blob: BlobLike, start: number, end: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.slice(start, end).arrayBuffer());
  } catch (error) {
    // Browsers refuse to read a File that was changed, moved or removed after it was chosen (File API, §4.1).
    const { name } = blob as { readonly name?: unknown };
    const shown = typeof name === "string" ? `the file ${JSON.stringify(name)}` : "a Blob";
    throw new DiskwrightError("SOURCE_UNREADABLE", `${shown} cannot be read any more: was it changed?`, {
      cause: error,
    });
  }
}
