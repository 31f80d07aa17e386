import { isZeros } from "../container/index.ts";
import { type CancelSignal, eventLoopTurn, type Target } from "../extents/index.ts";
import type { PackedUnits, Packer } from "../packing/index.ts";

/** A format that packs a whole image, part by part, with its holes. */
export interface PartFormat {
  head(): Uint8Array;
  /** A part: packed, or `undefined` where that is no smaller; its checksum if the packer makes one. */
  part(raw: Uint8Array, packed: Uint8Array | undefined, checksum: number | undefined): Uint8Array[];
  /** So many zeros, where the format has a shorter way to say it than a packed part. */
  zeros?(length: number): Uint8Array[];
  /** What follows the last part, of which there may be none. */
  tail(isEmpty: boolean): Uint8Array;
}

/** What {@link partsTarget} needs. */
export interface PartsTargetOptions {
  readonly format: PartFormat;
  readonly packer: Packer;
  readonly into: Target;
  readonly partSize: number;
  /** Bytes before and behind those of the image, packed with them. */
  readonly before?: Uint8Array | undefined;
  readonly behind?: Uint8Array | undefined;
  readonly signal?: CancelSignal | undefined;
}

/** The most zeros that are told in one go, in parts. */
const MOST_ZERO_PARTS = 128;

/** Work that is done between two turns of the event loop, in parts of zeros. */
const ZERO_PARTS_BETWEEN_TURNS = 4096;

/** A target for the bytes of a disk, which packs all of them in order, zeros included. */
export function partsTarget(options: PartsTargetOptions): Target {
  return new PartsTarget(options);
}

type UnderWay =
  | { readonly type: "packed"; readonly result: Promise<PackedUnits> }
  | { readonly type: "zeros"; parts: number };

class PartsTarget implements Target {
  readonly #options: PartsTargetOptions;
  readonly #underWay: UnderWay[] = [];
  /** A part of zeros, packed once. */
  #zeroPart: Promise<PackedUnits> | undefined;
  readonly #part: Uint8Array;
  #filled = 0;
  /** Bytes that were taken in, and those that were given out. */
  #position = 0;
  #written = 0;
  #size = 0;
  #isEmpty = true;

  constructor(options: PartsTargetOptions) {
    this.#options = options;
    this.#part = new Uint8Array(options.partSize);
  }

  async begin(size: number): Promise<void> {
    const { into, format, before = new Uint8Array(0), behind = new Uint8Array(0) } = this.#options;
    this.#size = before.length + size + behind.length;
    await into.begin(0);
    await this.#put(format.head());
    await this.#take(before);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    await this.#zerosUntil((this.#options.before?.length ?? 0) + position);
    await this.#take(bytes);
  }

  async commit(): Promise<void> {
    const { into, packer, format, behind = new Uint8Array(0) } = this.#options;
    await this.#zerosUntil(this.#size - behind.length);
    await this.#take(behind);
    await this.#endPart();
    while (this.#underWay.length > 0) await this.#store();
    await packer.close();
    await this.#put(format.tail(this.#isEmpty));
    await into.resize?.(this.#written);
    await into.commit();
  }

  async abort(): Promise<void> {
    await this.#options.packer.close();
    await this.#options.into.abort();
  }

  async #take(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const count = Math.min(bytes.length - done, this.#part.length - this.#filled);
      this.#part.set(bytes.subarray(done, done + count), this.#filled);
      this.#filled += count;
      this.#position += count;
      done += count;
      if (this.#filled === this.#part.length) await this.#endPart();
    }
  }

  async #zerosUntil(position: number): Promise<void> {
    const { partSize, signal } = this.#options;
    const count = Math.min(position - this.#position, (partSize - this.#filled) % partSize);
    this.#part.fill(0, this.#filled, this.#filled + count);
    this.#filled += count;
    this.#position += count;
    if (this.#filled === partSize) await this.#endPart();
    for (let untilTurn = ZERO_PARTS_BETWEEN_TURNS; position - this.#position >= partSize; untilTurn--) {
      this.#position += partSize;
      await this.#endZeros();
      if (untilTurn > 0) continue;
      untilTurn = ZERO_PARTS_BETWEEN_TURNS;
      await eventLoopTurn(signal);
    }
    const rest = position - this.#position;
    this.#part.fill(0, this.#filled, this.#filled + rest);
    this.#filled += rest;
    this.#position += rest;
  }

  async #endPart(): Promise<void> {
    if (this.#filled === 0) return;
    const { partSize, packer } = this.#options;
    const part = this.#part.subarray(0, this.#filled);
    this.#filled = 0;
    if (part.length === partSize && isZeros(part)) return this.#endZeros();
    const result = packer.pack(part, partSize);
    // A failure is told when its turn comes; until then it is nobody's.
    result.catch(() => {});
    await this.#send({ type: "packed", result });
  }

  async #endZeros(): Promise<void> {
    const last = this.#underWay.at(-1);
    if (last?.type === "zeros" && last.parts < MOST_ZERO_PARTS) last.parts++;
    else await this.#send({ type: "zeros", parts: 1 });
  }

  async #send(part: UnderWay): Promise<void> {
    this.#underWay.push(part);
    // Two for each thread: none waits for the next one.
    if (this.#underWay.length > 2 * this.#options.packer.parallel + 1) await this.#store();
  }

  async #store(): Promise<void> {
    const part = this.#underWay.shift()!;
    this.#isEmpty = false;
    if (part.type === "zeros") return this.#storeZeros(part.parts);
    const { bytes, packed, checksums, release } = await part.result;
    for (const piece of this.#options.format.part(bytes, packed[0], checksums[0])) await this.#put(piece);
    release();
  }

  async #storeZeros(parts: number): Promise<void> {
    const { format, packer, partSize } = this.#options;
    if (format.zeros !== undefined) {
      for (const piece of format.zeros(parts * partSize)) await this.#put(piece);
      return;
    }
    this.#zeroPart ??= packer.pack(new Uint8Array(partSize), partSize);
    const { bytes, packed, checksums } = await this.#zeroPart;
    for (let part = 0; part < parts; part++) {
      for (const piece of format.part(bytes, packed[0], checksums[0])) await this.#put(piece);
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const writing = this.#options.into.write(this.#written, bytes);
    if (writing !== undefined) await writing;
    this.#written += bytes.length;
  }
}
