import { formatBytes } from "../bytes/index.ts";
import { SECTOR, type UnitRun } from "../container/index.ts";
import { type ByteSource, readExactly } from "../extents/index.ts";
import { GROUP, type GrainDirectory } from "./directory.ts";
import type { Geometry } from "./geometry.ts";
import { damaged } from "./refuse.ts";
import { grainMarker, NO_PLACE } from "./structures.ts";

/** Unpacks zlib data that becomes at most `size` bytes; throws when it is damaged or becomes more. */
export type Inflate = (bytes: Uint8Array, size: number) => Uint8Array;

/** Groups of tables that are kept: 1 MiB. */
const KEPT_GROUPS = 16;

/** Where the grains of a disk are. */
export class Grains {
  readonly #file: ByteSource;
  readonly #geometry: Geometry;
  readonly #directory: GrainDirectory;
  readonly #inflate: Inflate;
  readonly #groupGrains: number;
  readonly #kept = new Map<number, Uint32Array | undefined>();

  constructor(file: ByteSource, geometry: Geometry, directory: GrainDirectory, inflate: Inflate) {
    this.#file = file;
    this.#geometry = geometry;
    this.#directory = directory;
    this.#inflate = inflate;
    this.#groupGrains = GROUP * geometry.tableEntries;
  }

  /** Where grains from `first` on are: as far as one group of tables tells of it, or further when there is none. */
  async run(first: number): Promise<UnitRun> {
    const { grains, tableEntries, grainSize, isCompressed } = this.#geometry;
    const group = Math.floor(first / this.#groupGrains);
    const entries = await this.#entriesOf(group);
    if (entries === undefined) {
      const next = await this.#directory.nextTable(group * GROUP);
      const end = Math.max(next, (group + 1) * GROUP) * tableEntries;
      return { type: "zeros", units: Math.min(end, grains) - first };
    }
    const start = first - group * this.#groupGrains;
    const end = Math.min(entries.length, start + grains - first);
    const sector = entries[start]!;
    let at = start + 1;
    if (sector === NO_PLACE) {
      while (at < end && entries[at] === NO_PLACE) at++;
      return { type: "zeros", units: at - start };
    }
    const position = this.#placeOf(first, sector);
    if (isCompressed) return { type: "packed", units: 1, unpack: () => this.#unpack(first, position) };
    const step = grainSize / SECTOR;
    while (at < end && entries[at] === sector + (at - start) * step) at++;
    return { type: "plain", units: at - start, position };
  }

  #placeOf(grain: number, sector: number): number {
    const position = sector * SECTOR;
    if (position < this.#geometry.dataOffset) {
      damaged(
        `grain ${grain} of the disk lies at byte ${position}, where there is metadata up to ${this.#geometry.dataOffset}`,
      );
    }
    return position;
  }

  async #entriesOf(group: number): Promise<Uint32Array | undefined> {
    if (this.#kept.has(group)) return this.#kept.get(group);
    const entries = await this.#directory.entriesOf(group);
    if (this.#kept.size >= KEPT_GROUPS) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(group, entries);
    return entries;
  }

  async #unpack(grain: number, position: number): Promise<Uint8Array> {
    const { grainSize, size } = this.#geometry;
    const data = await this.#data(grain, position);
    let bytes: Uint8Array;
    try {
      bytes = this.#inflate(data, grainSize);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      damaged(`grain ${grain} at byte ${position} cannot be unpacked: ${reason}`, error);
    }
    // Some programs store the last grain only up to the end of the disk.
    if (bytes.length < Math.min(grainSize, size - grain * grainSize) || bytes.length > grainSize) {
      damaged(
        `grain ${grain} at byte ${position} holds ${formatBytes(bytes.length)}, not ${formatBytes(grainSize)}`,
      );
    }
    return bytes;
  }

  /** The compressed data of a grain, behind its marker. */
  async #data(grain: number, position: number): Promise<Uint8Array> {
    const { grainSize } = this.#geometry;
    const what = `grain ${grain} of the vmdk file`;
    const marker = grainMarker.fromBytes(await readExactly(this.#file, position, grainMarker.span, what));
    const sector = BigInt((grain * grainSize) / SECTOR);
    if (marker.sector !== sector) {
      damaged(
        `at byte ${position} should lie the grain of sector ${sector}, but there is that of ${marker.sector}`,
      );
    }
    // Nothing becomes twice as large by compression.
    if (marker.length === 0 || marker.length > 2 * grainSize) {
      damaged(`grain ${grain} at byte ${position} should have ${formatBytes(marker.length)} of data`);
    }
    return readExactly(this.#file, position + grainMarker.span, marker.length, what);
  }
}
