import { DiskwrightError } from "../errors.ts";
import { type Extent, type SweepOptions, sweep, type Target } from "../extents/index.ts";

/** The container formats that can be written. */
export const FORMAT_NAMES = ["raw"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** Names that end in these would promise a container that is not written. */
const OTHER_CONTAINERS: Readonly<Record<string, string>> = {
  qcow: "qcow",
  qcow2: "qcow2",
  vdi: "vdi",
  vhd: "vpc",
  vpc: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
  gz: "gzip",
  zst: "zstd",
  xz: "xz",
};

/**
 * The format of an output: the one that is named, or the one that the file's extension says.
 *
 * @throws DiskwrightError `INVALID_SPEC` when that format cannot be written.
 */
export function chooseFormat(name: string | undefined, path: string): FormatName {
  if (name !== undefined) {
    if ((FORMAT_NAMES as readonly string[]).includes(name)) return name as FormatName;
    throw new DiskwrightError(
      "INVALID_SPEC",
      `format "${name}" cannot be written: use ${FORMAT_NAMES.join(", ")}`,
    );
  }
  const container = OTHER_CONTAINERS[/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? ""];
  if (container === undefined) return "raw";
  throw new DiskwrightError(
    "INVALID_SPEC",
    `${path}: the name says ${container}, which cannot be written: use a name that ends in .img, or --format raw`,
    { path },
  );
}

/**
 * Writes the extents of an image of `size` bytes in a format. The target is committed when all is written,
 * and aborted when anything goes wrong.
 */
export async function writeFormat(
  format: FormatName,
  extents: Iterable<Extent>,
  size: number,
  target: Target,
  options: SweepOptions = {},
): Promise<void> {
  try {
    await target.begin(size);
    switch (format) {
      case "raw":
        // A raw image is its extents; what none covers is a hole.
        await sweep(extents, (position, bytes) => target.write(position, bytes), options);
    }
    await target.commit();
  } catch (error) {
    await target.abort();
    throw error;
  } finally {
    await options.reader?.close();
  }
}
