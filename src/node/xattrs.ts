import { constants } from "node:os";
import { printable } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Xattrs } from "../tree/index.ts";
import { reasonOfNumber } from "./host-error.ts";
import { withTextPath } from "./host-path.ts";

/**
 * What reads extended attributes, of a symlink itself and not of what it points to. The module `@napi-rs/xattr`
 * is one.
 */
export interface XattrReader {
  /** The full names of all attributes. An error's message ends with `(os error N)` when the system refused. */
  listAttributesSync(path: string): readonly string[];
  /** The value of an attribute, or `null` when it cannot be had. */
  getAttributeSync(path: string, name: string): Uint8Array | null;
}

/** Whether an attribute is kept, by its full name and the path from the root of the tree: `/etc/x`. */
export type XattrFilter = (name: string, path: string) => boolean;

/**
 * Which extended attributes are read:
 *
 * - `portable`: those that mean the same on another machine: `user.*`, `trusted.*` (which only root sees), POSIX
 *   ACLs and `security.capability`.
 * - `all`: also those of the host itself, such as its SELinux labels (`security.selinux`).
 */
export type XattrPolicy = "none" | "portable" | "all" | XattrFilter;

/** What decides how extended attributes are read. */
export interface XattrOptions {
  /**
   * Which extended attributes are read. Default `portable` where a reader is found, and else none, with a warning.
   * When it is given, a reader that is missing is an error.
   */
  readonly xattrs?: XattrPolicy | undefined;
  /** What reads them. Default: the optional dependency `@napi-rs/xattr`, where it is installed. */
  readonly xattrReader?: XattrReader | undefined;
  /** Called with what is not read and is there. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Called with what is not read, if it is there at all. Default: `onWarning`. */
  readonly onNote?: ((note: string) => void) | undefined;
}

const PACKAGE = "@napi-rs/xattr";

/** Where there are extended attributes that somebody might miss. */
const SYSTEMS_WITH_XATTRS: ReadonlySet<string> = new Set(["linux", "android", "darwin", "freebsd"]);

const POLICIES: Readonly<Record<"portable" | "all", XattrFilter>> = { portable: isPortable, all: () => true };

/**
 * Which attributes a policy keeps; `undefined` when it keeps none.
 *
 * @throws TypeError for a policy that there is not.
 */
export function xattrFilter(policy: XattrPolicy = "portable"): XattrFilter | undefined {
  if (policy === "none") return undefined;
  const keep = typeof policy === "function" ? policy : POLICIES[policy];
  if (keep === undefined)
    throw new TypeError(`xattrs "${String(policy)}": use none, portable, all or a function`);
  return keep;
}

function isPortable(name: string): boolean {
  return (
    name.startsWith("user.") ||
    name.startsWith("trusted.") ||
    name === "security.capability" ||
    name === "system.posix_acl_access" ||
    name === "system.posix_acl_default"
  );
}

/**
 * What reads the extended attributes that are asked for, or `undefined` when none are read.
 *
 * @throws TypeError for a policy that there is not; DiskwrightError `SOURCE_UNREADABLE` when attributes are asked
 *   for and nothing can read them.
 */
export async function xattrScan(options: XattrOptions): Promise<XattrScan | undefined> {
  const { xattrs: policy, onWarning, onNote = onWarning } = options;
  const keep = xattrFilter(policy);
  if (keep === undefined) return undefined;
  const reader = options.xattrReader ?? (await installedReader());
  if (typeof reader !== "string") return new XattrScan(reader, keep);
  const remedy = `run "npm install ${PACKAGE}", or set xattrs to none`;
  if (policy !== undefined) {
    throw new DiskwrightError(
      "SOURCE_UNREADABLE",
      `extended attributes cannot be read: ${reader}: ${remedy}`,
    );
  }
  if (SYSTEMS_WITH_XATTRS.has(process.platform)) {
    onNote?.(`extended attributes (capabilities, ACLs and others) are not read: ${reader}: ${remedy}`);
  }
  return undefined;
}

/** The package's reader, or what keeps it from being had. */
async function installedReader(): Promise<XattrReader | string> {
  try {
    return await import("@napi-rs/xattr");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ERR_MODULE_NOT_FOUND"
      ? `the package ${PACKAGE} is not installed`
      : `the package ${PACKAGE} does not load (${message.split("\n")[0]})`;
  }
}

/** How many paths a warning names. */
const NAMED_PATHS = 3;

/** An entry whose attributes are asked for. */
export interface XattrEntry {
  /**
   * A path by which the entry is found fast, but which something could lead elsewhere meanwhile. It can say that there
   * are no attributes; those that there are, are read by the other path.
   */
  readonly quick?: string | undefined;
  /** Leads to the entry; the system accepts it. */
  readonly reachable: Buffer;
  readonly isDirectory: boolean;
  /** The entry's own path, for messages. */
  host(): Uint8Array;
  /** Its path in the tree, for the filter. */
  tree(): string;
}

/** Reads extended attributes, entry after entry, and notes whose it cannot reach. */
export class XattrScan {
  readonly #reader: XattrReader;
  readonly #keep: XattrFilter;
  #unreached = 0;
  readonly #unreachedPaths: string[] = [];

  constructor(reader: XattrReader, keep: XattrFilter) {
    this.#reader = reader;
    this.#keep = keep;
  }

  /** What an entry has of what is wanted, or `undefined` when that is nothing. */
  read(entry: XattrEntry): Xattrs | undefined {
    if (entry.quick !== undefined && this.#hasNone(entry.quick, entry.tree)) return undefined;
    let found: Xattrs | undefined;
    const isReached = withTextPath(entry.reachable, entry.isDirectory, (text) => {
      const names = this.#list(text);
      if (names.length > 0) found = this.#values(text, names, entry.tree());
    });
    // Nothing says that it has any, so it is no error.
    if (!isReached && this.#unreached++ < NAMED_PATHS) this.#unreachedPaths.push(printable(entry.host()));
    return found;
  }

  /** Whether an entry has nothing that is wanted, as most have. What refuses to say may have something. */
  #hasNone(path: string, tree: () => string): boolean {
    try {
      const names = this.#reader.listAttributesSync(path);
      return names.length === 0 || !names.some((name) => this.#keep(name, tree()));
    } catch {
      return false;
    }
  }

  /** What was not read, as one warning. */
  get warnings(): readonly string[] {
    if (this.#unreached === 0) return [];
    const entries = this.#unreached === 1 ? "1 entry" : `${this.#unreached} entries`;
    const more = this.#unreached > NAMED_PATHS ? " …" : "";
    return [
      `the extended attributes of ${entries} are not read, as the names are not UTF-8: ` +
        `${this.#unreachedPaths.join(", ")}${more}`,
    ];
  }

  #list(path: string): readonly string[] {
    try {
      return this.#reader.listAttributesSync(path);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const number = Number(/\(os error (\d+)\)$/.exec(message)?.[1]);
      if (number === constants.errno.ENOTSUP || number === constants.errno.EOPNOTSUPP) return [];
      const reason = reasonOfNumber(number) ?? printable(Buffer.from(message));
      throw new Error(`the extended attributes cannot be read: ${reason}`, { cause: error });
    }
  }

  #values(path: string, names: readonly string[], treePath: string): Xattrs | undefined {
    const xattrs = new Map<string, Uint8Array>();
    for (const name of names) {
      if (!this.#keep(name, treePath)) continue;
      const value = this.#reader.getAttributeSync(path, name);
      // The package gives no reason; it has just listed the name.
      if (value === null) {
        throw new Error(
          `the extended attribute "${printable(Buffer.from(name))}" cannot be read: it is protected, or just removed`,
        );
      }
      // A copy, as what native code has allocated costs more to keep.
      xattrs.set(name, new Uint8Array(value));
    }
    return xattrs.size === 0 ? undefined : xattrs;
  }
}
