import { appendAll, byteKey } from "../bytes/index.ts";
import { DiskwrightError } from "../errors.ts";
import { compressionOf, decompressed } from "../node/index.ts";
import { elfFile } from "./elf.ts";

/** What a module of the kernel says about itself. */
export interface ModuleInfo {
  /** Modules without which it cannot be loaded, by their plain names. */
  readonly depends: readonly string[];
  /** Modules that should be loaded before it, if they exist. */
  readonly softPrerequisites: readonly string[];
}

/** The file of a module, whatever it is compressed with. The largest of Linux take some 10 MiB. */
const LARGEST_MODULE = 256 * 1024 * 1024;

/** The name of a module: `-` and `_` are the same to the kernel, which uses `_`. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** The name of the module that a file holds (`virtio_blk` of `virtio_blk.ko.xz`); `undefined` when it is none. */
export function moduleOfFile(name: string): string | undefined {
  const match = /^(.+)\.ko(?:\.(?:gz|xz|zst))?$/.exec(name);
  return match === null ? undefined : moduleName(match[1]!);
}

/**
 * A module as insmod(8) takes it: unpacked.
 *
 * @throws DiskwrightError `CORRUPT` for damage.
 */
export async function unpackModule(stored: Uint8Array, path: string): Promise<Uint8Array> {
  const compression = compressionOf(stored);
  if (compression === undefined) return stored;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of decompressed(once(stored), compression, path)) {
    parts.push(part);
    size += part.length;
    if (size > LARGEST_MODULE) {
      throw new DiskwrightError("CORRUPT", `${path}: unpacks to more than 256 MiB: it is no module`, {
        path,
      });
    }
  }
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * Reads what a module says about itself (Linux, include/linux/module.h: the section `.modinfo` holds texts such as
 * `depends=mbcache,jbd2` and `softdep=pre: crc32c`, each with a zero behind it).
 *
 * @throws DiskwrightError `CORRUPT` when it is no module.
 */
export function moduleInfo(module: Uint8Array, path: string): ModuleInfo {
  const section = elfFile(module)?.section(".modinfo");
  if (section === undefined) {
    throw new DiskwrightError(
      "CORRUPT",
      `${path}: is no module of a 64-bit kernel, or is damaged: install the kernel's package again`,
      { path },
    );
  }
  const depends: string[] = [];
  const softPrerequisites: string[] = [];
  for (const line of byteKey(section).split("\0")) {
    const [, key, value] = /^(depends|softdep)=(.*)$/s.exec(line) ?? [];
    if (key === "depends") appendAll(depends, names(value!, ","));
    if (key === "softdep") appendAll(softPrerequisites, names(beforePost(value!), " "));
  }
  return { depends, softPrerequisites };
}

/** The first part of `pre: a b post: c`. */
function beforePost(value: string): string {
  return /(?:^|\s)pre:(.*?)(?:\spost:|$)/s.exec(value)?.[1] ?? "";
}

function names(list: string, separator: string): string[] {
  return list
    .split(separator)
    .map((name) => moduleName(name.trim()))
    .filter((name) => name !== "");
}
