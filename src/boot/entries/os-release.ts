import { printable, utf8, utf8Text } from "../../bytes/index.ts";
import { contentStart } from "../../extents/index.ts";
import type { BootContext } from "../installation.ts";

/** What a system says of itself in os-release(5). */
export interface OsRelease {
  readonly fields: ReadonlyMap<string, string>;
  /** Lines that say nothing, each with the path of the file. */
  readonly warnings: readonly string[];
}

/** Longer files are no os-release. */
const LONGEST_FILE = 64 * 1024;

const PLACES = ["/etc/os-release", "/usr/lib/os-release"];

/** The os-release of a tree, from the first of its two places that has one; nothing when neither does. */
export async function readOsRelease({ tree, reader }: BootContext): Promise<OsRelease> {
  for (const path of PLACES) {
    const row = tree.resolve(path);
    if (row === undefined || !tree.isFile(row)) continue;
    const bytes = await contentStart(tree.content(row), reader, LONGEST_FILE + 1);
    const text = bytes.length > LONGEST_FILE ? undefined : utf8Text(bytes);
    if (text === undefined) {
      const reason = bytes.length > LONGEST_FILE ? `is longer than ${LONGEST_FILE} bytes` : "is no UTF-8";
      return { fields: new Map(), warnings: [`${path}: ${reason}: not read`] };
    }
    const { fields, problems } = parseOsRelease(text);
    return { fields, warnings: problems.map((problem) => `${path}: ${problem}`) };
  }
  return { fields: new Map(), warnings: [] };
}

/**
 * Reads the text of an os-release(5): assignments as a shell has them, without expansion, the last of a name
 * counting. Lines that are none are told and passed over, as systems do.
 */
export function parseOsRelease(text: string): {
  readonly fields: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
} {
  const fields = new Map<string, string>();
  const problems: string[] = [];
  text.split("\n").forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    const [, name, raw] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(trimmed) ?? [];
    const value = raw === undefined ? undefined : unquoted(raw);
    if (name === undefined || value === undefined) {
      const shown = printable(utf8(trimmed.length > 60 ? `${trimmed.slice(0, 60)}…` : trimmed));
      problems.push(`line ${index + 1} is no assignment and is passed over: ${shown}`);
    } else if (value !== "") fields.set(name, value);
    else fields.delete(name);
  });
  return { fields, problems };
}

/** What the shell would make of a word that is quoted in one piece, or not at all; `undefined` for all else. */
function unquoted(raw: string): string | undefined {
  const single = /^'([^']*)'$/.exec(raw);
  if (single !== null) return single[1];
  const double = /^"((?:[^"\\]|\\.)*)"$/s.exec(raw);
  if (double !== null) return double[1]!.replace(/\\([$"\\`])/g, "$1");
  if (/^(?:[^\s"'\\$`;&|<>()]|\\.)*$/s.test(raw)) return raw.replace(/\\(.)/gs, "$1");
  return undefined;
}
