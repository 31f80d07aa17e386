import { bytes, record, reserved, u8, u16, u32, u64 } from "../../bytes/index.ts";

// What GRUB's images for the BIOS (i386-pc) and for UEFI consist of. Numbers are little-endian. Offsets:
// GRUB's include/grub/offsets.h, include/grub/i386/pc/boot.h and include/grub/kernel.h; ELF-32: System V ABI,
// chapter 4 and 5; PE: Microsoft "PE Format".

/** boot.img: what the BIOS loads from the first sector of a disk. It loads the first sector of the core image. */
export const bootImage = record({
  jump: bytes(3), // 0x0
  /** Where FAT has its parameters: a disk keeps what it has there. */
  parameters: bytes(0x57), // 0x3
  /** The segment address, as an offset in it, that the core image's first sector is loaded to. */
  loadAddress: u16, // 0x5a
  /** The core image's first sector, in sectors of 512 bytes. */
  coreSector: u64, // 0x5c
  /** The drive that it lies on, or {@link BIOS_DRIVE}. */
  bootDrive: u8, // 0x64
  clearInterrupts: bytes(1), // 0x65
  /** A jump past the check of the drive that the BIOS names. */
  driveCheck: bytes(2), // 0x66
  code: bytes(0x150), // 0x68
  /** The disk's signature and partition table; in the file, code for floppies. */
  table: bytes(0x46), // 0x1b8
  bootSignature: u16, // 0x1fe
});

export const BOOT_SIGNATURE = 0xaa55;
export const BOOT_LOAD_ADDRESS = 0x8000;
/** The drive that the BIOS says it boots from. */
export const BIOS_DRIVE = 0xff;
export const SHORT_JUMP = 0xeb;
export const NO_OPERATION = 0x90;
/** What of the boot image goes to a disk: the rest of the sector is the disk's own. */
export const BOOT_CODE_SIZE: number = bootImage.offsetOf("table");

/** diskboot.img: the first sector of the core image. It loads the others. */
export const diskbootImage = record({
  code: bytes(0x1e8), // 0x0
  /** The list of runs of sectors grows downwards from the end, and a run of none ends it. */
  listEnd: bytes(12), // 0x1e8
  /** The first run of sectors. */
  firstSector: u64, // 0x1f4
  sectors: u16, // 0x1fc
  /** Where they are loaded to, in units of 16 bytes. */
  segment: u16, // 0x1fe
});

/** The address 0x8200, right behind the sector of diskboot.img at 0x8000. */
export const CORE_SEGMENT = 0x820;

/** How lzma_decompress.img starts, which unpacks what lies behind it. */
export const decompressorHeader = record({
  jump: bytes(8), // 0x0
  /** Bytes of the LZMA stream behind the decompressor. */
  packedSize: u32, // 0x8
  /** Bytes that it unpacks to. */
  unpackedSize: u32, // 0xc
  /** Bytes of Reed-Solomon code behind everything; 0 for none. */
  redundancy: u32, // 0x10
  /** How many bytes of the decompressor Reed-Solomon code does not cover. */
  uncoveredLength: u16, // 0x14
  unused: bytes(2), // 0x16
  bootDevice: bytes(3), // 0x18
  bootDrive: u8, // 0x1b
});

/** What lies between GRUB's kernel and its modules, in images of 32 bits. */
export const moduleHeader32 = record({
  magic: u32, // 0x0
  /** From the start of this structure to the first object. */
  offset: u32, // 0x4
  /** From the start of this structure to the end of the last object. */
  size: u32, // 0x8
});

/** The same in images of 64 bits. */
export const moduleHeader64 = record({
  magic: u32, // 0x0
  padding: reserved(4), // 0x4
  offset: u64, // 0x8
  size: u64, // 0x10
});

/** "mimg". */
export const MODULE_MAGIC = 0x676d696d;

/** What precedes each module and each setting behind the module header. */
export const objectHeader = record({
  type: u32, // 0x0
  /** Bytes with this header, padded to a multiple of 4. */
  size: u32, // 0x4
});

export const OBJECT_TYPES = { module: 0, memoryDisk: 1, configuration: 2, prefix: 3 } as const;

/** The header of an ELF file of 32 bits. */
export const elfHeader = record({
  identification: bytes(16), // 0x0
  type: u16, // 0x10
  machine: u16, // 0x12
  version: u32, // 0x14
  entry: u32, // 0x18
  programHeaders: u32, // 0x1c
  sectionHeaders: u32, // 0x20
  flags: u32, // 0x24
  headerSize: u16, // 0x28
  programHeaderSize: u16, // 0x2a
  programHeaderCount: u16, // 0x2c
  sectionHeaderSize: u16, // 0x2e
  sectionHeaderCount: u16, // 0x30
  namesSection: u16, // 0x32
});

/** 7f "ELF", 32 bits, little-endian. */
export const ELF_IDENTIFICATION: Uint8Array = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1);
export const ELF_EXECUTABLE = 2;
export const ELF_386 = 3;

/** A part of an ELF file that is loaded. */
export const elfSegment = record({
  type: u32, // 0x0
  offset: u32, // 0x4
  address: u32, // 0x8
  physicalAddress: u32, // 0xc
  fileSize: u32, // 0x10
  memorySize: u32, // 0x14
  flags: u32, // 0x18
  alignment: u32, // 0x1c
});

export const ELF_LOAD = 1;

/** How a PE file starts: the header of MS-DOS, of which only the way on is of use. */
export const dosHeader = record({
  magic: u16, // 0x0
  dosFields: bytes(0x3a), // 0x2
  /** Where the PE header lies. */
  peOffset: u32, // 0x3c
});

/** "MZ". */
export const DOS_MAGIC = 0x5a4d;

/** The PE signature and the COFF header. */
export const peHeader = record({
  signature: u32, // 0x0
  machine: u16, // 0x4
  sections: u16, // 0x6
  time: u32, // 0x8
  symbols: u32, // 0xc
  symbolCount: u32, // 0x10
  /** Bytes of the optional header that follows. */
  optionalSize: u16, // 0x14
  characteristics: u16, // 0x16
});

/** "PE", two zeros. */
export const PE_SIGNATURE = 0x4550;

/** A section of a PE file. */
export const peSection = record({
  name: bytes(8), // 0x0
  virtualSize: u32, // 0x8
  virtualAddress: u32, // 0xc
  /** Bytes in the file, and where they lie. */
  fileSize: u32, // 0x10
  fileOffset: u32, // 0x14
  relocations: u32, // 0x18
  lineNumbers: u32, // 0x1c
  relocationCount: u16, // 0x20
  lineNumberCount: u16, // 0x22
  characteristics: u32, // 0x24
});
