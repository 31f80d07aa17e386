import type {
  ContainerFacts,
  ContainerLayout,
  PackedLayout,
  SectorSizes,
  UnitSet,
} from "../container/index.ts";
import { checkDiskSize, containerTarget, packedTarget } from "../container/index.ts";
import { type ByteRange, type CancelSignal, type Target, zeroingTarget } from "../extents/index.ts";
import { type Packer, type PackerFactory, type Packing, xxhash } from "../packing/index.ts";
import type { HashLoader } from "./bmap.ts";
import { checkLevel, type FormatName, formatFacts } from "./names.ts";
import type { PartFormat } from "./parts.ts";

/** What a format is told of itself. */
export interface FormatSettings {
  /** The level of compression, as the compressor counts. Default: 6 of deflate, as qemu-img has it; 3 of zstd. */
  readonly level?: number | undefined;
  /** Of qcow2: bytes of a cluster. Default 64 KiB. */
  readonly clusterSize?: number | undefined;
  /** Of raw: see {@link Output}. Default `holes`. */
  readonly zeros?: "holes" | "stored" | undefined;
  /** Bytes of the disk. */
  readonly size: number;
  readonly sectors: SectorSizes;
  /** The time of its making, in seconds since 1970. */
  readonly time: number;
}

/** Gives the bytes of a disk that no reader looks at, in ascending order, each time from the start. */
export type FreeRanges = () => Iterable<ByteRange> | AsyncIterable<ByteRange>;

/** What the making of a target needs. */
export interface TargetContext {
  readonly into: Target;
  /** Asked when headers are written. */
  readonly facts: () => ContainerFacts;
  /** The units that will be written, by their size, where that is known before. */
  readonly units?: ((unitSize: number) => UnitSet) | undefined;
  /** The free ranges of the disk, for what passes over them. Default: none. */
  readonly free?: FreeRanges | undefined;
  readonly packers: PackerFactory;
  readonly hash: HashLoader;
  readonly signal?: CancelSignal | undefined;
}

type Placing = "dense" | "same" | "spread";

/** A format for one disk, checked. */
export interface PreparedFormat {
  /**
   * Whether what is written first says what comes later: where the units lie, or which disk it is. Such a format can
   * leave in order only when the whole disk is known.
   */
  readonly isForeseeing: boolean;
  /** In which units it stores a disk, where it must know which ones before anything leaves in order. */
  readonly unitSize?: number | undefined;
  /**
   * How the content of the disk lies in the file: `dense`, side by side from the start on; `same`, where it lies on
   * the disk; `spread`, in another way (default).
   */
  readonly placing?: Placing | undefined;
  /** A target for the bytes of the disk. */
  target(context: TargetContext): Target | Promise<Target>;
}

/** Parts of a whole image that are packed by themselves: half a mebibyte costs little in size. */
const PART_SIZE = 512 * 1024;

/**
 * Makes a format ready for a disk.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a disk that it cannot hold, and a level that it does not know.
 */
export async function prepareFormat(name: FormatName, settings: FormatSettings): Promise<PreparedFormat> {
  const { size, sectors } = settings;
  const { multiple } = formatFacts(name);
  if (settings.level !== undefined) checkLevel(name, settings.level);
  if (multiple !== undefined) checkDiskSize(name, size, { largest: Number.MAX_SAFE_INTEGER, multiple });
  switch (name) {
    case "raw":
      return {
        isForeseeing: false,
        placing: "same",
        target: ({ into, free }) =>
          settings.zeros === "stored" ? zeroingTarget({ into, free: free?.() }) : into,
      };
    case "qcow2":
    case "qcow2-compressed":
    case "qcow2-zstd":
      return qcow2(name, settings);
    case "vdi":
    case "vdi-static": {
      const { planVdi, vdiLayout } = await import("../vdi/index.ts");
      const plan = planVdi({ size, variant: name === "vdi" ? "dynamic" : "static" });
      return container(() => vdiLayout(plan), name === "vdi" ? "dense" : "spread");
    }
    case "vpc":
    case "vpc-fixed":
    case "azure": {
      const { checkAzureSize, planVpc, vpcLayout } = await import("../vpc/index.ts");
      if (name === "azure") checkAzureSize(size);
      const plan = planVpc({ size, variant: name === "vpc" ? "dynamic" : "fixed" });
      return container(() => vpcLayout(plan), name === "vpc" ? "dense" : "same");
    }
    case "vhdx": {
      const { planVhdx, vhdxLayout } = await import("../vhdx/index.ts");
      const plan = planVhdx({ size, sectors });
      return container(() => vhdxLayout(plan));
    }
    case "vmdk": {
      const { planVmdk, vmdkLayout } = await import("../vmdk/index.ts");
      const plan = planVmdk({ size });
      return container(() => vmdkLayout(plan));
    }
    case "vmdk-stream": {
      const { planVmdk, vmdkStreamLayout } = await import("../vmdk/index.ts");
      const plan = planVmdk({ size });
      return packed(() => vmdkStreamLayout(plan), { type: "zlib", level: settings.level ?? 6 });
    }
    case "android-sparse": {
      const { planSimg, simgLayout } = await import("../simg/index.ts");
      const plan = planSimg({ size });
      return container(() => simgLayout(plan));
    }
    case "raw-gzip":
      return gzip(settings.level);
    case "gce": {
      const { gceTarEnd, gceTarHeader } = await import("./gce.ts");
      return gzip(settings.level, gceTarHeader(size, settings.time), gceTarEnd(size));
    }
    case "raw-zstd": {
      const { zstdFormat } = await import("./zstd.ts");
      const { create64 } = await xxhash();
      return parts(() => zstdFormat(create64), { type: "zstd", level: settings.level ?? 3, isChecked: true });
    }
    case "bmap": {
      const { bmapTarget } = await import("./bmap.ts");
      return {
        isForeseeing: false,
        target: async ({ into, hash, free }) =>
          zeroingTarget({ into: bmapTarget(into, await hash()), free: free?.() }),
      };
    }
  }
}

async function qcow2(
  name: "qcow2" | "qcow2-compressed" | "qcow2-zstd",
  { size, clusterSize, level }: FormatSettings,
): Promise<PreparedFormat> {
  const { planQcow2, qcow2Layout, qcow2PackedLayout, qcow2Packing } = await import("../qcow2/index.ts");
  const compression = ({ qcow2: "none", "qcow2-compressed": "deflate", "qcow2-zstd": "zstd" } as const)[name];
  const plan = planQcow2({ size, clusterSize, compression });
  return compression === "none"
    ? container(() => qcow2Layout(plan))
    : packed(() => qcow2PackedLayout(plan), qcow2Packing(plan, level));
}

function container(layout: () => ContainerLayout, placing: Placing = "dense"): PreparedFormat {
  const { unitSize } = layout();
  return {
    isForeseeing: true,
    unitSize,
    placing,
    target: ({ into, facts, units }) => containerTarget({ layout, into, facts, units: units?.(unitSize) }),
  };
}

function packed(layout: () => PackedLayout, packing: Packing): PreparedFormat {
  return {
    isForeseeing: true,
    target: ({ into, facts, packers, units }) =>
      withPacker(packers, packing, (packer) =>
        packedTarget({ layout: layout(), packer, into, facts, isKnown: units !== undefined }),
      ),
  };
}

async function gzip(level = 6, before?: Uint8Array, behind?: Uint8Array): Promise<PreparedFormat> {
  const { gzipFormat } = await import("./gzip.ts");
  return parts(() => gzipFormat(PART_SIZE), { type: "deflate-part", level }, before, behind);
}

async function parts(
  format: () => PartFormat,
  packing: Packing,
  before?: Uint8Array,
  behind?: Uint8Array,
): Promise<PreparedFormat> {
  const { partsTarget } = await import("./parts.ts");
  return {
    isForeseeing: false,
    target: ({ into, packers, signal }) =>
      withPacker(packers, packing, (packer) =>
        partsTarget({ format: format(), packer, into, partSize: PART_SIZE, before, behind, signal }),
      ),
  };
}

/** A target that closes its packer at its end; where it cannot be made, nobody else would. */
async function withPacker(
  packers: PackerFactory,
  packing: Packing,
  make: (packer: Packer) => Target,
): Promise<Target> {
  const packer = await packers(packing);
  try {
    return make(packer);
  } catch (error) {
    await packer.close();
    throw error;
  }
}
