import { availableParallelism } from "node:os";
import { checkArgument } from "../arguments/index.ts";
import type { PackerFactory } from "../packing/index.ts";
import { packerOptionsKind } from "./arguments.ts";
import type { PackerPool } from "./packer-pool.ts";

/** What {@link packers} can be told. */
export interface PackerOptions {
  /**
   * How many threads pack: each takes some 30 MiB. Default: one for each processor, up to eight. The bytes are
   * the same for any number.
   */
  readonly workers?: number | undefined;
  /**
   * Pack with packages whose bytes depend on nothing but their version: slower. Default: with the libraries of
   * Node, whose bytes can differ from one version to the next.
   */
  readonly isPortable?: boolean | undefined;
}

/** Threads that are started unless more are asked for. */
const MOST_WORKERS = 8;

/**
 * Packers that work in threads of their own, which all packers of one factory share: several outputs of one run take
 * no more threads, nor much more memory, than one. The threads end with the last of the packers.
 */
export function packers(options: PackerOptions = {}): PackerFactory {
  checkArgument("options", options, packerOptionsKind);
  const { workers = Math.min(MOST_WORKERS, availableParallelism()), isPortable = false } = options;
  if (!Number.isInteger(workers) || workers < 1) {
    throw new RangeError(`"workers" expected an integer from 1 on, got ${workers}`);
  }
  let pool: PackerPool | undefined;
  return async (packing) => {
    // What packs nothing loads no threads.
    const { PackerPool } = await import("./packer-pool.ts");
    // No turn of the event loop lies between looking at the pool and using it.
    if (pool === undefined || pool.isClosed) pool = new PackerPool(workers, { isPortable });
    return pool.packer(packing);
  };
}
