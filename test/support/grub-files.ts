import {
  BOOT_LOAD_ADDRESS,
  BOOT_SIGNATURE,
  bootImage,
  decompressorHeader,
  diskbootImage,
  dosHeader,
  ELF_IDENTIFICATION,
  elfHeader,
  elfSegment,
  MODULE_MAGIC,
  moduleHeader32,
  moduleHeader64,
  OBJECT_TYPES,
  objectHeader,
  peHeader,
  peSection,
} from "../../src/boot/grub/structures.ts";
import { utf8 } from "../../src/bytes/index.ts";
import type { Entry } from "../../src/tree/index.ts";

/** Files with the structure of GRUB's and nothing in them that runs. */

export function bootImg(): Uint8Array {
  return bootImage.toBytes({
    jump: Uint8Array.of(0xeb, 0x63, 0x90),
    parameters: new Uint8Array(0x57).fill(0x11),
    loadAddress: BOOT_LOAD_ADDRESS,
    coreSector: 1n,
    bootDrive: 0xff,
    clearInterrupts: Uint8Array.of(0xfa),
    driveCheck: Uint8Array.of(0xeb, 0x05),
    code: new Uint8Array(0x150).fill(0x22),
    table: new Uint8Array(0x46).fill(0x33),
    bootSignature: BOOT_SIGNATURE,
  });
}

export function diskbootImg(): Uint8Array {
  return diskbootImage.toBytes({
    code: new Uint8Array(0x1e8).fill(0x44),
    listEnd: new Uint8Array(12),
    firstSector: 2n,
    sectors: 0,
    segment: 0x820,
  });
}

export function decompressorImg(): Uint8Array {
  const image = new Uint8Array(100).fill(0x55);
  decompressorHeader.encode(
    {
      jump: new Uint8Array(8).fill(0x55),
      packedSize: 0,
      unpackedSize: 0,
      redundancy: 7,
      uncoveredLength: 0x75b,
      unused: new Uint8Array(2),
      bootDevice: Uint8Array.of(0xff, 0xff, 0xff),
      bootDrive: 0,
    },
    image,
    0,
    "",
  );
  return image;
}

/** A kernel with the segments that are given. */
export function kernelImg(
  segments: readonly { address: number; bytes: Uint8Array; memorySize?: number }[] = [
    { address: 0x9000, bytes: utf8("the kernel") },
  ],
  changes: Partial<{ type: number; machine: number; entry: number; programHeaders: number }> = {},
): Uint8Array {
  const headersEnd = elfHeader.span + segments.length * elfSegment.span;
  const image = new Uint8Array(headersEnd + segments.reduce((sum, { bytes }) => sum + bytes.length, 0));
  elfHeader.encode(
    {
      identification: ELF_IDENTIFICATION,
      type: 2,
      machine: 3,
      version: 1,
      entry: 0x9000,
      programHeaders: elfHeader.span,
      sectionHeaders: 0,
      flags: 0,
      headerSize: elfHeader.span,
      programHeaderSize: elfSegment.span,
      programHeaderCount: segments.length,
      sectionHeaderSize: 0,
      sectionHeaderCount: 0,
      namesSection: 0,
      ...changes,
    },
    image,
    0,
    "",
  );
  let offset = headersEnd;
  segments.forEach(({ address, bytes, memorySize }, index) => {
    elfSegment.encode(
      {
        type: 1,
        offset,
        address,
        physicalAddress: address,
        fileSize: bytes.length,
        memorySize: memorySize ?? bytes.length,
        flags: 7,
        alignment: 1,
      },
      image,
      elfHeader.span + index * elfSegment.span,
      "",
    );
    image.set(bytes, offset);
    offset += bytes.length;
  });
  return image;
}

export function moduleFile(name: string, size = 0): Uint8Array {
  const text = utf8(name);
  const bytes = new Uint8Array(ELF_IDENTIFICATION.length + text.length + size);
  bytes.set(ELF_IDENTIFICATION);
  bytes.set(text, ELF_IDENTIFICATION.length);
  // Bytes that do not pack, from a generator of the textbook.
  for (let at = ELF_IDENTIFICATION.length + text.length, state = 1; at < bytes.length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const MODULES: Readonly<Record<string, string>> = {
  biosdisk: "",
  part_gpt: "",
  part_msdos: "",
  ext2: "fshelp",
  fat: "fshelp",
  fshelp: "",
  search_fs_uuid: "",
  serial: "extcmd terminal",
  terminal: "extcmd",
  extcmd: "",
  linux: "",
};

/** GRUB's directory for the BIOS, below `parent`. */
export function biosFiles(
  parent: string,
  changes: Readonly<Record<string, Uint8Array | null>> = {},
): Entry[] {
  const moddep = Object.entries(MODULES).map(([name, needs]) => `${name}: ${needs}\n`);
  const files: Record<string, Uint8Array | null> = {
    "boot.img": bootImg(),
    "diskboot.img": diskbootImg(),
    "lzma_decompress.img": decompressorImg(),
    "kernel.img": kernelImg(),
    "moddep.lst": utf8(moddep.join("")),
    "command.lst": utf8("linux: linux\n"),
    ...Object.fromEntries(Object.keys(MODULES).map((name) => [`${name}.mod`, moduleFile(name)])),
    ...changes,
  };
  return Object.entries(files).flatMap(([name, content]): Entry[] =>
    content === null ? [] : [{ path: `${parent}/i386-pc/${name}`, type: "file", content }],
  );
}

/** A program for UEFI with modules and settings. */
export function efiImg(prefix: string | undefined, machine = 0x8664): Uint8Array {
  const objects: (readonly [number, Uint8Array])[] = [[OBJECT_TYPES.module, moduleFile("normal")]];
  if (prefix !== undefined) objects.push([OBJECT_TYPES.prefix, utf8(`${prefix}\0`)]);
  const padded = objects.map(([type, bytes]) => {
    const size = 8 + Math.ceil(bytes.length / 4) * 4;
    const object = new Uint8Array(size);
    object.set(objectHeader.toBytes({ type, size }));
    object.set(bytes, 8);
    return object;
  });
  const is32 = machine === 0x14c;
  const { span } = is32 ? moduleHeader32 : moduleHeader64;
  const size = padded.reduce((sum, { length }) => sum + length, span);
  const header = is32
    ? moduleHeader32.toBytes({ magic: MODULE_MAGIC, offset: span, size })
    : moduleHeader64.toBytes({ magic: MODULE_MAGIC, offset: BigInt(span), size: BigInt(size) });
  const section = [header, ...padded];
  const peOffset = dosHeader.span;
  const fileOffset = peOffset + peHeader.span + 2 * peSection.span;
  const sections = [".text", "mods"].map((name) =>
    peSection.toBytes({
      name: utf8(name),
      virtualSize: size,
      virtualAddress: 0x1000,
      fileSize: size,
      fileOffset,
      relocations: 0,
      lineNumbers: 0,
      relocationCount: 0,
      lineNumberCount: 0,
      characteristics: 0,
    }),
  );
  return joined([
    dosHeader.toBytes({ magic: 0x5a4d, dosFields: new Uint8Array(0), peOffset }),
    peHeader.toBytes({
      signature: 0x4550,
      machine,
      sections: 2,
      time: 0,
      symbols: 0,
      symbolCount: 0,
      optionalSize: 0,
      characteristics: 0,
    }),
    ...sections,
    ...section,
  ]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
