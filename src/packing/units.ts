import type { Pack } from "./packing.ts";
import { looksIncompressible } from "./probe.ts";

/**
 * Packs units one by one; `undefined` stands for one that is better stored as it is. The same in every thread
 * and on every host, as far as `pack` is.
 */
export function packUnits(pack: Pack, bytes: Uint8Array, unitSize: number): (Uint8Array | undefined)[] {
  const packed: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < bytes.length; at += unitSize) {
    const unit = bytes.subarray(at, at + unitSize);
    const result = looksIncompressible(unit) ? undefined : pack(unit);
    packed.push(result !== undefined && result.length < unit.length ? result : undefined);
  }
  return packed;
}
