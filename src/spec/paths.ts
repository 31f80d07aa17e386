import { splitOutput } from "../formats/index.ts";
import type { GapSpec, PartitionSpec } from "./partition.ts";
import type { Spec } from "./schema.ts";
import type { ContentsRuleSpec, SourcesSpec } from "./sources.ts";

/** What turns a path of a spec into one of the host. */
type Resolve = (path: string) => string;

type RootSpec = Exclude<NonNullable<SourcesSpec["root"]>, readonly unknown[]>;

/** The spec with every path of the host as `resolve` gives it: paths of a file start from where the file is. */
export function resolvePaths(spec: Spec, resolve: Resolve): Spec {
  return {
    ...withSources(spec, resolve),
    ...mapped(spec, ["bootCode", "bootFiles", "efiVars", "efiVarsFrom", "runInVm", "spool"], resolve),
    ...(spec.vm && {
      vm: { ...spec.vm, ...mapped(spec.vm, ["kernelFrom", "busybox", "qemu", "consoleLog"], resolve) },
    }),
    ...(spec.output === undefined ? {} : { output: eachOutput(spec.output, resolve) }),
    ...(spec.partitions && {
      partitions: spec.partitions.map((partition) => inPartition(partition, resolve)),
    }),
    ...(spec.gaps && { gaps: spec.gaps.map((gap) => inGap(gap, resolve)) }),
  };
}

/** `FORMAT:FILE` names a format before the path; see {@link splitOutput}. */
function eachOutput(output: string | string[], resolve: Resolve): string | string[] {
  const at = (text: string): string => {
    const { format, path } = splitOutput(text);
    const resolved = path === "-" ? path : resolve(path);
    return format === undefined ? resolved : `${format}:${resolved}`;
  };
  return typeof output === "string" ? at(output) : output.map(at);
}

function inPartition(partition: PartitionSpec, resolve: Resolve): PartitionSpec {
  return { ...withSources(partition, resolve), ...mapped(partition, ["image"], resolve) };
}

function inGap(gap: GapSpec, resolve: Resolve): GapSpec {
  return { ...gap, image: resolve(gap.image) };
}

function withSources<Fields extends SourcesSpec>(fields: Fields, resolve: Resolve): Fields {
  const { root, contents, storePaths, manifest } = fields;
  const each = (paths: string | readonly string[]): string | string[] =>
    typeof paths === "string" ? resolve(paths) : paths.map(resolve);
  return {
    ...fields,
    ...(root === undefined ? {} : { root: Array.isArray(root) ? root.map(rootAt) : rootAt(root) }),
    ...(contents && { contents: contents.map((rule) => resolveRule(rule, resolve)) }),
    ...(storePaths === undefined ? {} : { storePaths: each(storePaths) }),
    ...(manifest === undefined ? {} : { manifest: each(manifest) }),
  };

  function rootAt(source: RootSpec): RootSpec {
    const at = (path: string): string => (path === "-" || path.startsWith("-:/") ? path : resolve(path));
    return typeof source === "string" ? at(source) : { ...source, source: at(source.source) };
  }
}

/** A rule with its source resolved. A pattern that ends in a slash is for directories only: the slash stays. */
export function resolveRule(rule: ContentsRuleSpec, resolve: Resolve): ContentsRuleSpec {
  const source = resolve(rule.source);
  const losesSlash = rule.source.endsWith("/") && !source.endsWith("/");
  return { ...rule, source: losesSlash ? `${source}/` : source };
}

function mapped<Fields extends object, Name extends keyof Fields>(
  fields: Fields,
  names: readonly Name[],
  resolve: Resolve,
): Partial<Fields> {
  return Object.fromEntries(
    names.flatMap((name) => (fields[name] === undefined ? [] : [[name, resolve(fields[name] as string)]])),
  ) as Partial<Fields>;
}
