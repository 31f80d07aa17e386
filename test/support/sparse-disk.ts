import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { expect } from "vitest";
import type { ByteSource, Extent } from "../../src/extents/index.ts";

/** A disk that holds some extents of bytes in memory, and is too large for memory itself. */
export function sparseDisk(extents: Iterable<Extent>, size: number): ByteSource {
  const parts = [...extents];
  return {
    size,
    read(position, length): Uint8Array {
      expect(position + length).toBeLessThanOrEqual(size);
      const bytes = new Uint8Array(length);
      for (const { position: start, source } of parts) {
        const part = source as Uint8Array;
        const from = Math.max(start, position);
        const to = Math.min(start + part.length, position + length);
        if (from < to) bytes.set(part.subarray(from - start, to - start), from - position);
      }
      return bytes;
    },
  };
}

/** Writes extents of bytes in memory as a sparse file. */
export function saveSparse(path: string, extents: Iterable<Extent>, size: number): void {
  const file = openSync(path, "w");
  ftruncateSync(file, size);
  for (const { position, source } of extents) {
    const bytes = source as Uint8Array;
    expect(writeSync(file, bytes, 0, bytes.length, position)).toBe(bytes.length);
  }
  closeSync(file);
}
