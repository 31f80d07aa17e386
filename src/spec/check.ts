import { mbrTypeName } from "../mbr/index.ts";
import { ownerProblem } from "../ownership/index.ts";
import type { PartitionSpec } from "./partition.ts";
import type { Spec } from "./schema.ts";
import type { SourcesSpec } from "./sources.ts";

/** Something wrong between several fields, and the path of the one to look at. */
export interface SpecProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const SOURCES = ["root", "contents", "directories", "symlinks", "files", "storePaths", "manifest"] as const;

/** Fields that shape a preset, and mean nothing for partitions of one's own. */
const FOR_PRESETS = ["bootSize"] as const;

/** What is wrong between fields that are each right. */
export function* checkSpec(spec: Spec): Generator<SpecProblem> {
  const { partitions, layout, compat } = spec;
  if (partitions !== undefined) {
    if (layout !== undefined)
      yield { path: ["layout"], message: "layout and partitions exclude each other: keep one" };
    for (const field of FOR_PRESETS) {
      if (spec[field] !== undefined && compat === undefined) {
        yield { path: [field], message: `${field} is for presets: give the partition a size` };
      }
    }
    if (partitions.length === 0) yield { path: ["partitions"], message: "expected at least one partition" };
  } else {
    for (const field of [
      "table",
      "gaps",
      "alignment",
      "endGap",
      "gptEntriesAt",
      "protectiveMbrEntry",
    ] as const) {
      if (spec[field] !== undefined)
        yield { path: [field], message: `${field} needs partitions of one's own` };
    }
  }
  if (spec.gptEntriesAt !== undefined && (spec.table ?? "gpt") !== "gpt") {
    yield { path: ["gptEntriesAt"], message: "gptEntriesAt needs the table gpt" };
  }
  yield* checkSources(spec, []);
  for (const [index, partition] of (partitions ?? []).entries()) {
    yield* checkPartition(partition, index);
    const place = ["partitions", index] as const;
    if (spec.table === "mbr") yield* checkType(partition.type, [...place, "type"]);
    if (partition.hybrid !== undefined) yield* checkType(partition.hybrid.type, [...place, "hybrid", "type"]);
  }
}

/** Types of an MBR are known by hexadecimal digits, and a file has numbers in decimal. */
function* checkType(type: string | number | undefined, path: SpecProblem["path"]): Generator<SpecProblem> {
  if (typeof type !== "number" || mbrTypeName(type) !== undefined) return;
  const meant = Number(`0x${type}`);
  const name = mbrTypeName(meant);
  if (name === undefined) return;
  const own = `0x${type.toString(16)}`;
  yield { path, message: `${type} is ${own}: write 0x${type} for ${name}, or "${own}" for what it is` };
}

/** What is wrong between the fields that say what goes in. */
export function* checkSources(
  fields: SourcesSpec & Pick<Spec, "bootloader">,
  path: readonly (string | number)[] = [],
): Generator<SpecProblem> {
  if (fields.onlyNixStore) {
    const at = [...path, "onlyNixStore"];
    if ((fields.storePaths ?? []).length === 0) {
      yield {
        path: at,
        message: "onlyNixStore needs storePaths",
      };
    }
    if ((fields.contents ?? []).length > 0) {
      yield { path: at, message: "onlyNixStore and contents exclude each other: keep one" };
    }
    if (fields.bootloader !== undefined && fields.bootloader !== "none") {
      yield {
        path: at,
        message: "onlyNixStore and bootloader exclude each other: nothing boots from a store alone",
      };
    }
  }
  for (const [index, rule] of (fields.contents ?? []).entries()) {
    const message = ownerProblem(rule);
    const field = rule.user === undefined ? "group" : "user";
    if (message !== undefined) yield { path: [...path, "contents", index, field], message };
  }
  const isMapped = [fields.idMap, fields.uidMap, fields.gidMap].some((map) => map !== undefined);
  if (fields.owner !== undefined && isMapped) {
    yield { path: [...path, "owner"], message: "owner and id maps exclude each other: keep one" };
  }
}

function* checkPartition(partition: PartitionSpec, index: number): Generator<SpecProblem> {
  const { filesystem, image, size, minimum, maximum, weight, mount } = partition;
  const at = (field: string): readonly (string | number)[] => ["partitions", index, field];
  yield* checkSources(partition, ["partitions", index]);
  const own = SOURCES.find((field) => partition[field] !== undefined);
  if (image !== undefined && filesystem !== undefined) {
    yield { path: at("image"), message: "image and filesystem exclude each other: the image has its own" };
  }
  if (image !== undefined && own !== undefined)
    yield { path: at(own), message: `image and ${own} exclude each other` };
  if (own !== undefined && filesystem === undefined && image === undefined) {
    yield { path: at(own), message: `${own} needs a filesystem to go into` };
  }
  if (mount !== undefined && filesystem === undefined && image === undefined) {
    yield { path: at("mount"), message: "mount needs a filesystem" };
  }
  const isFixed = size !== undefined && size !== "rest" && size !== "minimal";
  if (weight !== undefined && size !== undefined && size !== "rest") {
    yield { path: at("weight"), message: 'weight is for the size "rest"' };
  }
  for (const [field, value] of [
    ["minimum", minimum],
    ["maximum", maximum],
    ["additionalSpace", partition.additionalSpace],
  ] as const) {
    if (value !== undefined && isFixed) {
      yield { path: at(field), message: `${field} is for the sizes "rest" and "minimal"` };
    }
  }
  if (filesystem === undefined) return;
  const isFat = filesystem.type.startsWith("fat");
  for (const field of Object.keys(filesystem) as (keyof typeof filesystem)[]) {
    if (field === "type" || field === "label") continue;
    if (isFat !== (field === "serial")) {
      yield {
        path: [...at("filesystem"), field],
        message: `${field} is no field of ${filesystem.type}`,
      };
    }
  }
}
