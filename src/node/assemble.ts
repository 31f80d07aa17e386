import { readFileSync } from "node:fs";
import { checkArgument } from "../arguments/index.ts";
import { parseTime } from "../bytes/index.ts";
import { DiskwrightError, throwProblems } from "../errors.ts";
import { bytesContent } from "../extents/index.ts";
import type { ImageSpec } from "../image/index.ts";
import type { RawContent } from "../layouts/index.ts";
import { type PartitionContent, type Spec, sourcesOf, specFiles, specImages } from "../spec/index.ts";
import { treeOf } from "../tree/index.ts";
import { stageOptionsKind } from "./arguments.ts";
import { FileReader } from "./file-reader.ts";
import { reasonOf } from "./host-error.ts";
import { rawFile } from "./raw-file.ts";
import { type StageOptions, stage } from "./stage.ts";

/** Fields that bring content. */
const SOURCES = ["root", "contents", "directories", "symlinks", "files", "storePaths", "manifest"] as const;

/**
 * Reads everything that a spec names, and gives what `image` takes.
 *
 * @throws DiskwrightError for what cannot be read, and, before anything is, `INVALID_SPEC` for what makes no image.
 */
export async function assemble(spec: Spec, options: StageOptions = {}): Promise<ImageSpec> {
  checkArgument("options", options, stageOptionsKind);
  const { checkedSpec } = await specFiles();
  return await assembleChecked(checkedSpec(spec), options);
}

/** The same for a spec that was checked when it was read; see {@link assemble}. */
export async function assembleChecked(spec: Spec, options: StageOptions = {}): Promise<ImageSpec> {
  // All of it is loaded when it is needed: most commands make no image.
  const [{ image }, { imageSpecOf }] = await Promise.all([import("../image/index.ts"), specImages()]);
  // A wrong field is told at once, not after a long scan.
  const nothing = { content: bytesContent(new Uint8Array(0)) };
  const empty = (spec.partitions ?? []).map(
    ({ image: file }): PartitionContent => (file === undefined ? {} : { raw: nothing }),
  );
  image(imageSpecOf(spec, { root: treeOf([]), partitions: empty }));
  const bootCode = spec.bootCode === undefined ? undefined : await bootCodeIn(spec.bootCode);
  const time = typeof spec.time === "string" ? parseTime(spec.time) : spec.time;
  const staged: StageOptions = { ...options, time, spoolDirectory: spec.spool ?? options.spoolDirectory };
  const unreadable: string[] = [];
  const raw = async (file: string): Promise<RawContent> => {
    try {
      return await rawFile(file);
    } catch (error) {
      if (!(error instanceof DiskwrightError)) throw error;
      unreadable.push(error.message);
      return nothing;
    }
  };
  const gaps: RawContent[] = [];
  for (const { image: file } of spec.gaps ?? []) gaps.push(await raw(file));
  const partitions: PartitionContent[] = [];
  for (const { image: file, ...fields } of spec.partitions ?? []) {
    if (file !== undefined) partitions.push({ raw: await raw(file) });
    else if (SOURCES.every((name) => fields[name] === undefined)) partitions.push({});
    else {
      const { xattrs = spec.xattrs, holes = spec.holes, filesystem } = fields;
      const { hardLinks = spec.hardLinks, links = spec.links } = fields;
      const hasOwners = !(filesystem?.type ?? "ext4").startsWith("fat");
      partitions.push({
        tree: await stage(sourcesOf({ ...fields, xattrs, holes, hardLinks, links }), {
          ...staged,
          hasOwners,
        }),
      });
    }
  }
  throwProblems("SOURCE_UNREADABLE", "the spec names files that cannot be read", unreadable);
  const root = await stage(sourcesOf(spec), staged);
  const described = imageSpecOf(spec, { root, partitions, gaps, bootCode, reader: new FileReader() });
  if (spec.bootloader === undefined || spec.bootloader === "none") return described;
  const { installBootloader } = await import("./bootloader.ts");
  return { ...described, boot: await installBootloader(spec, described, staged) };
}

async function bootCodeIn(path: string): Promise<Uint8Array> {
  const { bootCodeOf } = await import("../mbr/index.ts");
  return bootCodeOf(fileBytes(path));
}

function fileBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DiskwrightError("SOURCE_UNREADABLE", `${path}: ${reasonOf(error)}`, { path, cause: error });
  }
}
