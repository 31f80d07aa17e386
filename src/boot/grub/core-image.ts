import { formatBytes, roundUp, utf8 } from "../../bytes/index.ts";
import { DiskwrightError, DoesNotFitError, throwProblems } from "../../errors.ts";
import { isElf32, KERNEL_ADDRESS, kernelBytes } from "./kernel.ts";
import { lzmaStream } from "./lzma.ts";
import { inOrderOfNeed, moduleDependencies } from "./modules.ts";
import type { PlatformFiles } from "./platform-files.ts";
import {
  decompressorHeader,
  diskbootImage,
  MODULE_MAGIC,
  moduleHeader32,
  OBJECT_TYPES,
  objectHeader,
} from "./structures.ts";

/** What a core image is made of. */
export interface CoreOptions {
  /** The modules that it needs to reach its directory; what they need in turn comes by itself. */
  readonly modules: readonly string[];
  /** Commands that it starts with, for the parser that GRUB has before any module is loaded. */
  readonly configuration: string;
  /** The directory in which it finds the rest of itself. */
  readonly prefix: string;
}

/** Sectors of a BIOS, whatever the disk has. */
export const BIOS_SECTOR = 512;

/**
 * Where the core image has to end in memory: grub-mkimage counts from the address that the kernel is linked to, and
 * so leaves a little more room than the image itself takes.
 */
const CORE_END = 0x78000;

/** Bytes of the largest core image, but for its first sector. */
const LARGEST_CORE: number = CORE_END - KERNEL_ADDRESS;

/** The files of GRUB's that every core image is made of, beside its modules. */
export const CORE_FILES: readonly string[] = [
  "kernel.img",
  "diskboot.img",
  "lzma_decompress.img",
  "moddep.lst",
];

/**
 * GRUB's core image for the BIOS: diskboot.img, lzma_decompress.img, and packed behind it the kernel and what the
 * kernel starts with. A whole number of sectors of {@link BIOS_SECTOR} bytes; its first one still has to be told
 * where the others lie.
 *
 * @param files what has the modules.
 * @param parts the bytes of {@link CORE_FILES}.
 * @throws DiskwrightError `SOURCE_UNREADABLE` for missing modules, all at once; `CORRUPT` and `UNSUPPORTED_IMAGE` for
 *   files that are not GRUB's.
 * @throws DoesNotFitError when it is larger than the memory that there is for it.
 */
export async function coreImage(
  files: PlatformFiles,
  parts: ReadonlyMap<string, Uint8Array>,
  options: CoreOptions,
): Promise<Uint8Array> {
  const dependencies = moduleDependencies(new TextDecoder().decode(parts.get("moddep.lst")!));
  const modules = inOrderOfNeed(options.modules, dependencies, files.directory);
  const objects = await files.read(modules.map(moduleFile));
  const payload = corePayload(parts.get("kernel.img")!, checkedModules(objects, files.directory), options);
  const packed = lzmaStream(payload);
  const decompressor = startedDecompressor(parts.get("lzma_decompress.img")!, packed.length, payload.length);
  const size = decompressor.length + packed.length;
  checkMemory(size, modules);
  const core = new Uint8Array(roundUp(BIOS_SECTOR + size, BIOS_SECTOR));
  core.set(firstSector(parts.get("diskboot.img")!));
  core.set(decompressor, BIOS_SECTOR);
  core.set(packed, BIOS_SECTOR + decompressor.length);
  return core;
}

/** @throws DoesNotFitError when a core image of `size` bytes, but for its first sector, is larger than its memory. */
export function checkMemory(size: number, modules: readonly string[]): void {
  if (size <= LARGEST_CORE) return;
  throw new DoesNotFitError(
    `GRUB's core image has ${formatBytes(size)}, and a BIOS has ${formatBytes(LARGEST_CORE)} of memory for it: leave modules out of ${modules.join(" ")}`,
    size - LARGEST_CORE,
  );
}

function moduleFile(name: string): string {
  return `${name}.mod`;
}

function checkedModules(files: ReadonlyMap<string, Uint8Array>, directory: string): Uint8Array[] {
  const problems = [...files].flatMap(([name, bytes]) => (isElf32(bytes) ? [] : [`${name} is no ELF file`]));
  throwProblems("CORRUPT", `GRUB's modules in ${directory} cannot be used`, problems, { path: directory });
  return [...files.values()];
}

/** What is packed: the kernel, the module header, the modules, the configuration and the prefix. */
export function corePayload(
  kernel: Uint8Array,
  modules: readonly Uint8Array[],
  { configuration, prefix }: Pick<CoreOptions, "configuration" | "prefix">,
): Uint8Array {
  const loaded = kernelBytes(kernel);
  const objects: Parameter[] = [
    ...modules.map((bytes): Parameter => ({ type: OBJECT_TYPES.module, bytes })),
    { type: OBJECT_TYPES.configuration, bytes: utf8(`${configuration}\0`) },
    { type: OBJECT_TYPES.prefix, bytes: utf8(`${prefix}\0`) },
  ];
  const headerAt = roundUp(loaded.length, 4);
  const size = objects.reduce((sum, object) => sum + objectSize(object), moduleHeader32.span);
  const payload = new Uint8Array(headerAt + size);
  payload.set(loaded);
  moduleHeader32.encode({ magic: MODULE_MAGIC, offset: moduleHeader32.span, size }, payload, headerAt, "");
  let at = headerAt + moduleHeader32.span;
  for (const object of objects) {
    objectHeader.encode({ type: object.type, size: objectSize(object) }, payload, at, "");
    payload.set(object.bytes, at + objectHeader.span);
    at += objectSize(object);
  }
  return payload;
}

interface Parameter {
  readonly type: number;
  readonly bytes: Uint8Array;
}

function objectSize({ bytes }: Parameter): number {
  return objectHeader.span + roundUp(bytes.length, 4);
}

function startedDecompressor(file: Uint8Array, packedSize: number, unpackedSize: number): Uint8Array {
  if (file.length < decompressorHeader.span) throw corrupt("lzma_decompress.img", `${file.length} bytes`);
  const started = file.slice();
  const header = decompressorHeader.fromBytes(file);
  // It has no Reed-Solomon code, which only repairs cores that other programs wrote into.
  decompressorHeader.encode({ ...header, packedSize, unpackedSize, redundancy: 0 }, started, 0, "");
  return started;
}

function firstSector(file: Uint8Array): Uint8Array {
  if (file.length !== diskbootImage.span) throw corrupt("diskboot.img", `${file.length} bytes`);
  // The end of its list of sectors, without which it would load on.
  if (diskbootImage.fromBytes(file).listEnd.some((byte) => byte !== 0)) {
    throw corrupt("diskboot.img", "code in the place of its list of sectors");
  }
  return file;
}

function corrupt(name: string, what: string): DiskwrightError {
  return new DiskwrightError("CORRUPT", `GRUB's ${name} cannot be used: it has ${what}`);
}
