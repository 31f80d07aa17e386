import { Worker } from "node:worker_threads";
import type { PackedUnits, Packer, Packing } from "../packing/index.ts";

/** A thread makes garbage with each unit: a small nursery has it collected before it grows, at no cost in time. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 1 };

const CLOSED = "the packer was closed";

export interface PackWorkerData {
  readonly isPortable: boolean;
}

/** Memory that the threads share: what is to be packed, and what it becomes. */
export interface SharedSlot {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** What a thread is told: about memory and about a way of packing, once each, and what to pack. */
export type PackMessage =
  | { readonly type: "slot"; readonly slot: number; readonly memory: SharedSlot }
  | { readonly type: "packing"; readonly number: number; readonly packing: Packing }
  | {
      readonly type: "pack";
      readonly id: number;
      /** The number of the way of packing. */
      readonly packing: number;
      readonly slot: number;
      readonly length: number;
      readonly unitSize: number;
    };

/** What a thread answers: how long each packed unit is; they lie one behind the other in the slot. */
export interface PackResponse {
  readonly id: number;
  readonly sizes: readonly (number | undefined)[];
  readonly checksums: readonly number[];
}

interface Waiting {
  readonly packing: number;
  readonly slot: number;
  readonly length: number;
  resolve(units: PackedUnits): void;
  reject(error: Error): void;
}

/** What is to be packed. */
interface PackRequest {
  readonly packing: number;
  readonly bytes: Uint8Array;
  readonly unitSize: number;
}

/**
 * Requests go to the threads in turn, and answers find who asked by their number. Bytes cross in shared memory:
 * buffers that are handed over pile up until the garbage is collected.
 */
export class PackerPool {
  readonly #workers: readonly Worker[];
  readonly #waiting = new Map<number, Waiting>();
  readonly #slots: SharedSlot[] = [];
  #freeSlots: number[] = [];
  #failure: Error | undefined;
  #next = 0;
  #packings = 0;
  #open = 0;

  constructor(workers: number, workerData: PackWorkerData) {
    this.#workers = Array.from({ length: workers }, () => this.#start(workerData));
  }

  get isClosed(): boolean {
    return this.#failure !== undefined;
  }

  /** A packer that is to be closed. */
  packer(packing: Packing): Packer {
    const number = this.#packings++;
    this.#open++;
    for (const worker of this.#workers) this.#tell(worker, { type: "packing", number, packing });
    let isOpen = true;
    const share = (): number => Math.ceil(this.#workers.length / this.#open);
    return {
      get parallel(): number {
        return share();
      },
      pack: (bytes, unitSize) =>
        isOpen ? this.#pack({ packing: number, bytes, unitSize }) : Promise.reject(new Error(CLOSED)),
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        await this.#close(number);
      },
    };
  }

  #pack({ packing, bytes, unitSize }: PackRequest): Promise<PackedUnits> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { length } = bytes;
    const found = this.#freeSlots.findLast((free) => this.#slots[free]!.input.length >= length);
    const slot = found ?? this.#addSlot(length);
    this.#freeSlots = this.#freeSlots.filter((free) => free !== slot);
    this.#slots[slot]!.input.set(bytes);
    const id = this.#next++;
    const worker = this.#workers[id % this.#workers.length]!;
    this.#tell(worker, { type: "pack", id, packing, slot, length, unitSize });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { packing, slot, length, resolve, reject });
    });
  }

  /**
   * Ends a packer: what it waits for is dropped when it comes. The threads end with the last one, and with them
   * the memory of results that nobody released.
   */
  async #close(packing: number): Promise<void> {
    const closed = new Error(CLOSED);
    for (const [id, waiting] of this.#waiting) {
      if (waiting.packing !== packing) continue;
      waiting.reject(closed);
      this.#waiting.set(id, { ...waiting, resolve: ({ release }) => release() });
    }
    if (--this.#open > 0) return;
    this.#fail(closed);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(workerData: PackWorkerData): Worker {
    const worker = new Worker(new URL("./pack-worker.js", import.meta.url), {
      workerData,
      resourceLimits: WORKER_LIMITS,
    });
    worker.on("message", (response: PackResponse) => this.#answer(response));
    worker.on("error", (error: Error) => this.#fail(error));
    worker.on("exit", (code) => this.#fail(new Error(`a packing thread ended with status ${code}`)));
    return worker;
  }

  #tell(worker: Worker, message: PackMessage): void {
    worker.postMessage(message);
  }

  #addSlot(length: number): number {
    const shared = (): Uint8Array => new Uint8Array(new SharedArrayBuffer(length));
    const memory = { input: shared(), output: shared() };
    const slot = this.#slots.push(memory) - 1;
    for (const worker of this.#workers) this.#tell(worker, { type: "slot", slot, memory });
    return slot;
  }

  #answer({ id, sizes, checksums }: PackResponse): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const { slot, length } = waiting;
    const { input, output } = this.#slots[slot]!;
    let at = 0;
    const packed = sizes.map((size) => {
      if (size === undefined) return undefined;
      at += size;
      return output.subarray(at - size, at);
    });
    const release = (): void => void this.#freeSlots.push(slot);
    waiting.resolve({ bytes: input.subarray(0, length), packed, checksums, release });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
