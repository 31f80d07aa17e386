import { printable, utf8 } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import {
  DOS_MAGIC,
  dosHeader,
  MODULE_MAGIC,
  moduleHeader32,
  moduleHeader64,
  OBJECT_TYPES,
  objectHeader,
  PE_SIGNATURE,
  peHeader,
  peSection,
} from "./structures.ts";

/** What a processor is called in the names of EFI programs. */
interface Machine {
  /** UEFI 2.10 §3.5.1.1: `BOOTX64.EFI`. */
  readonly name: string;
  readonly bits: 32 | 64;
}

/** By the machine of the COFF header (PE format, "Machine Types"). */
const MACHINES: ReadonlyMap<number, Machine> = new Map([
  [0x14c, { name: "ia32", bits: 32 }],
  [0x1c2, { name: "arm", bits: 32 }],
  [0x8664, { name: "x64", bits: 64 }],
  [0xaa64, { name: "aa64", bits: 64 }],
  [0x5064, { name: "riscv64", bits: 64 }],
  [0x6264, { name: "loongarch64", bits: 64 }],
]);

/** What a GRUB that was made for UEFI says of itself. */
export interface EfiImage {
  /** The processor that it runs on, as in `BOOTX64.EFI`, in lower case. */
  readonly machine: string;
  /** The directory in which it looks for `grub.cfg`. */
  readonly prefix: string;
}

const MODULES_SECTION: Uint8Array = utf8("mods\0\0\0\0");

/**
 * Reads what a GRUB image for UEFI (a PE file) says of itself: its modules and settings are a section of their own.
 *
 * @param name what it is called in messages.
 * @throws DiskwrightError `CORRUPT` or `UNSUPPORTED_IMAGE` when it is not such an image.
 */
export function readEfiImage(image: Uint8Array, name: string): EfiImage {
  const corrupt = (why: string): DiskwrightError =>
    new DiskwrightError("CORRUPT", `${name} cannot be used as GRUB for UEFI: ${why}`, { path: name });
  try {
    const { peOffset, magic } = dosHeader.fromBytes(image);
    if (magic !== DOS_MAGIC) throw corrupt("it is no program of UEFI (a PE file)");
    const pe = peHeader.fromBytes(image, peOffset);
    if (pe.signature !== PE_SIGNATURE) throw corrupt("it is no program of UEFI (a PE file)");
    const machine = MACHINES.get(pe.machine);
    if (machine === undefined) {
      throw new DiskwrightError(
        "UNSUPPORTED_IMAGE",
        `${name} is for the unknown machine 0x${pe.machine.toString(16)}`,
        { path: name },
      );
    }
    const modules = section(image, peOffset + peHeader.span + pe.optionalSize, pe.sections);
    if (modules === undefined) throw corrupt("it has no modules (no section mods): is it another program?");
    const prefix = prefixOf(modules, machine.bits);
    if (prefix === undefined) throw corrupt("it does not say where its grub.cfg lies");
    return { machine: machine.name, prefix };
  } catch (error) {
    if (error instanceof RangeError) throw corrupt("it is cut off");
    throw error;
  }
}

/** The bytes of the section with the modules. */
function section(image: Uint8Array, table: number, count: number): Uint8Array | undefined {
  for (let index = 0; index < count; index++) {
    const { name, fileOffset, fileSize } = peSection.fromBytes(image, table + index * peSection.span);
    if (name.every((byte, at) => byte === MODULES_SECTION[at])) {
      return image.subarray(fileOffset, fileOffset + fileSize);
    }
  }
  return undefined;
}

function prefixOf(modules: Uint8Array, bits: 32 | 64): string | undefined {
  const header = (bits === 32 ? moduleHeader32 : moduleHeader64).fromBytes(modules);
  if (header.magic !== MODULE_MAGIC) return undefined;
  const end = Math.min(Number(header.size), modules.length);
  for (let at = Number(header.offset); at + objectHeader.span <= end; ) {
    const { type, size } = objectHeader.fromBytes(modules, at);
    // An object has its header at least, so this always comes to an end.
    if (size < objectHeader.span || at + size > end) return undefined;
    if (type === OBJECT_TYPES.prefix) {
      const text = modules.subarray(at + objectHeader.span, at + size);
      return printable(text.subarray(0, Math.max(0, text.indexOf(0))));
    }
    at += size;
  }
  return undefined;
}
