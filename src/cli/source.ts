import { realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { directory } from "../node/index.ts";
import { ownedBy, type Tree } from "../tree/index.ts";
import { UsageError } from "./exit.ts";
import type { SourceOptions } from "./options.ts";
import type { Owner } from "./parse.ts";
import type { Talk } from "./talk.ts";

/** Which directory to read, and how. */
export interface SourceRequest {
  readonly path: string;
  readonly exclude: readonly string[] | undefined;
  readonly owner: Owner | undefined;
  readonly xattrs: SourceOptions["xattrs"];
  /** Where the image goes: it is not to hold its own older self. */
  readonly output: string | undefined;
}

/** Scans the directory that goes into an image. */
export async function readSource(request: SourceRequest, talk: Talk, signal: AbortSignal): Promise<Tree> {
  if (request.path === "") throw new UsageError("the directory to read has an empty name");
  const matches = await excluder(request.exclude);
  const own = outputInside(request.path, request.output);
  if (own !== undefined) talk.say(`left out ${request.output}: it is the output`);
  const tree = await directory(request.path, {
    exclude: own === undefined ? matches : (path) => path === own || (matches?.(path) ?? false),
    xattrs: request.xattrs,
    onWarning: (warning) => talk.warn(warning),
    signal,
    onProgress: (entries) => talk.progress(() => `scanning ${request.path}: ${entries} entries`),
  });
  return request.owner === undefined ? tree : ownedBy(tree, request.owner.uid, request.owner.gid);
}

/** The path of an existing output within the source, from the source's root. */
function outputInside(source: string, output: string | undefined): string | undefined {
  if (output === undefined || output === "-") return undefined;
  try {
    const inside = relative(realpathSync(source), realpathSync(resolve(output)));
    return inside === "" || inside === ".." || inside.startsWith(`..${sep}`)
      ? undefined
      : `/${inside.split(sep).join("/")}`;
  } catch {
    // What does not exist yet cannot be found by the scan, or is reported by it.
    return undefined;
  }
}

/** What to leave out: a pattern without a slash is for names anywhere, one with a slash starts at the root. */
async function excluder(
  patterns: readonly string[] | undefined,
): Promise<((path: string) => boolean) | undefined> {
  if (patterns === undefined) return undefined;
  const { default: picomatch } = await import("picomatch");
  const matchers = patterns.map((pattern) => {
    const trimmed = pattern.replace(/\/+$/, "");
    const isMatch = picomatch(trimmed.replace(/^\/+/, ""), { dot: true });
    if (trimmed.includes("/")) return (path: string): boolean => isMatch(path.slice(1));
    return (path: string): boolean => isMatch(path.slice(path.lastIndexOf("/") + 1));
  });
  return (path) => matchers.some((isMatch) => isMatch(path));
}
