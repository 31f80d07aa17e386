import type { Checksum, Pack, PackedUnits } from "./packing.ts";
import { looksIncompressible } from "./probe.ts";

/** What packs, and sums up. */
export interface UnitPacker {
  readonly pack: Pack;
  /** Nothing is summed up without it. */
  readonly checksum: Checksum | undefined;
}

/**
 * Packs units one by one; `undefined` stands for one that is better stored as it is. `keep` is handed what `pack` has
 * made of a unit, and says where it lies from then on. The same in every thread and on every host, as far as `pack` is.
 */
export function packUnits(
  { pack, checksum }: UnitPacker,
  bytes: Uint8Array,
  unitSize: number,
  keep: (packed: Uint8Array) => Uint8Array,
): Omit<PackedUnits, "release"> {
  const packed: (Uint8Array | undefined)[] = [];
  const checksums: number[] = [];
  for (let at = 0; at < bytes.length; at += unitSize) {
    const unit = bytes.subarray(at, at + unitSize);
    const result = looksIncompressible(unit) ? undefined : pack(unit);
    packed.push(result !== undefined && result.length < unit.length ? keep(result) : undefined);
    if (checksum !== undefined) checksums.push(checksum(unit));
  }
  return { bytes, packed, checksums };
}
