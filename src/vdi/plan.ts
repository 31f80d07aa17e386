import { checkArgument, fields, number, oneOf, optional, text } from "../arguments/index.ts";
import { parseGuid, roundUp, TIB } from "../bytes/index.ts";
import { checkDiskSize } from "../container/index.ts";
import { VDI_BLOCK } from "./structures.ts";

/** What a VDI is to be. */
export interface VdiSpec {
  /** Bytes of the disk, a multiple of 512. */
  readonly size: number;
  /** `dynamic` (default): blocks come into the file as they get content; `static`: all are there. */
  readonly variant?: "dynamic" | "static" | undefined;
  /** By which VirtualBox knows the disk. Default: derived from the identity. */
  readonly uuid?: string | undefined;
}

/** Where everything lies in a VDI, in bytes. */
export interface VdiPlan {
  readonly size: number;
  readonly variant: "dynamic" | "static";
  readonly uuid: string | undefined;
  /** Blocks of the disk. */
  readonly blocks: number;
  readonly mapOffset: number;
  readonly dataOffset: number;
}

/** The most that is written and read: a map of 64 MiB. VirtualBox itself stops earlier. */
export const LARGEST_VDI: number = 16 * TIB;

/** The map starts in the second sector. */
const MAP_OFFSET = 512;

const SPEC = fields<VdiSpec>("the specification of a VDI", {
  size: number,
  variant: optional(oneOf("dynamic", "static")),
  uuid: optional(text),
});

/**
 * Plans a VDI.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a size that it cannot hold.
 */
export function planVdi(spec: VdiSpec): VdiPlan {
  checkArgument("spec", spec, SPEC);
  const { size, variant = "dynamic", uuid } = spec;
  checkDiskSize("vdi", size, { largest: LARGEST_VDI });
  const blocks = Math.ceil(size / VDI_BLOCK);
  // Blocks are aligned in the file as VirtualBox aligns them.
  const dataOffset = roundUp(MAP_OFFSET + 4 * blocks, VDI_BLOCK);
  return {
    size,
    variant,
    uuid: uuid === undefined ? undefined : parseGuid(uuid),
    blocks,
    mapOffset: MAP_OFFSET,
    dataOffset,
  };
}
