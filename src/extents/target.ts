import { checkArgument, optional, routine } from "../arguments/index.ts";
import { signalKind } from "./arguments.ts";
import type { Awaitable } from "./content.ts";
import { type CancelSignal, eventLoopTurn } from "./signal.ts";

/**
 * Where an image goes. A target shows what was written only after `commit`; `abort` leaves everything as it
 * was before `begin`.
 */
export interface Target {
  /** Called once, before the first write, with the size of the whole output in bytes. */
  begin(size: number): Awaitable<void>;
  /**
   * Told after `begin`: about `length` bytes will be written from `position` on, side by side. A target can set the
   * room aside; that changes nothing but the time that writing takes.
   */
  reserve?(position: number, length: number): void;
  /**
   * Writes `bytes` at `position`. Positions never overlap, and ascend unless the target has `resize`; `bytes`
   * is reused after the call.
   */
  write(position: number, bytes: Uint8Array): Awaitable<void>;
  /**
   * Writes zeros, where a target has a shorter way than `write`. Only for zeros that must be stored: what is never
   * written reads as zeros anyway.
   */
  writeZeros?(position: number, length: number): Awaitable<void>;
  /**
   * Only targets that take writes in any order have it: gives the output its size, when that was not known
   * before all was written. Called once, last before `commit`.
   */
  resize?(size: number): Awaitable<void>;
  /** Makes the output visible under its name. */
  commit(): Awaitable<void>;
  /** Drops what was written. */
  abort(): Awaitable<void>;
}

/** A target in memory, for small images and tests. `bytes` is empty until `commit`. */
export function memoryTarget(): Target & { readonly bytes: Uint8Array } {
  let pending = new Uint8Array(0);
  let bytes: Uint8Array = new Uint8Array(0);
  function resize(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(pending.subarray(0, size));
    pending = grown;
  }
  return {
    get bytes(): Uint8Array {
      return bytes;
    },
    begin(size): void {
      pending = new Uint8Array(size);
    },
    write(position, chunk): void {
      const end = position + chunk.length;
      if (end > pending.length) resize(Math.max(end, 2 * pending.length));
      pending.set(chunk, position);
    },
    resize,
    commit(): void {
      bytes = pending;
    },
    abort(): void {
      pending = new Uint8Array(0);
    },
  };
}

/** How many zeros are handed out between two turns of the event loop. */
const ZEROS_BETWEEN_TURNS = 32 * 1024 * 1024;

/**
 * A target that hands everything out in order, zeros included: for pipes, sockets and devices, where there
 * is nothing to seek in and no name to rename.
 */
export function sequentialTarget(
  write: (bytes: Uint8Array) => Awaitable<void>,
  signal?: CancelSignal,
): Target {
  checkArgument("write", write, routine);
  checkArgument("signal", signal, optional(signalKind));
  const zeros = new Uint8Array(64 * 1024);
  let zerosUntilTurn = ZEROS_BETWEEN_TURNS;
  let size = 0;
  let sent = 0;
  async function pad(until: number): Promise<void> {
    while (sent < until) {
      const chunk = zeros.subarray(0, Math.min(zeros.length, until - sent));
      await write(chunk);
      sent += chunk.length;
      zerosUntilTurn -= chunk.length;
      if (zerosUntilTurn > 0) continue;
      zerosUntilTurn = ZEROS_BETWEEN_TURNS;
      await eventLoopTurn(signal);
    }
  }
  return {
    begin(total): void {
      size = total;
    },
    async write(position, bytes): Promise<void> {
      if (position > sent) await pad(position);
      await write(bytes);
      sent += bytes.length;
    },
    commit: () => pad(size),
    abort(): void {},
  };
}
