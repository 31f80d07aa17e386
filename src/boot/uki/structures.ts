import { bytes, type RecordType, record, u16, u32, utf8 } from "../../bytes/index.ts";

// Executables of EFI: the Portable Executable format (Microsoft PE/COFF specification, revision 11; UEFI 2.10 §2.1.1).
// Numbers are little-endian. A file starts with a header of DOS, which tells where the others are: the signature, the
// COFF header, the optional header, and one header for each section.

export const DOS_SIGNATURE: Uint8Array = utf8("MZ");
/** Where the header of DOS has the position of the signature, 32 bits. */
export const PE_POSITION_OFFSET = 0x3c;
export const PE_SIGNATURE: Uint8Array = utf8("PE\0\0");

/** The COFF file header (§3.3), which follows the signature. */
export interface CoffHeader {
  /** The processor; see {@link MACHINES}. */
  readonly machine: number;
  readonly sections: number;
  readonly time: number;
  /** Where the symbols of a debugger lie in the file; 0 for none. */
  readonly symbols: number;
  readonly symbolCount: number;
  /** Bytes of the optional header, which follows. */
  readonly optionalHeaderSize: number;
  readonly characteristics: number;
}

export const coffHeader: RecordType<CoffHeader> = record({
  machine: u16, // 0x0
  sections: u16, // 0x2
  time: u32, // 0x4
  symbols: u32, // 0x8
  symbolCount: u32, // 0xc
  optionalHeaderSize: u16, // 0x10
  characteristics: u16, // 0x12
});

/** The start of the optional header (§3.4) as far as it is the same with 32 and 64 bits. */
export interface OptionalHeader {
  /** See {@link DIRECTORY_COUNT_OFFSETS}. */
  readonly magic: number;
  readonly linkerVersion: number;
  readonly codeSize: number;
  readonly dataSize: number;
  readonly zeroDataSize: number;
  readonly entryPoint: number;
  readonly codeBase: number;
  readonly imageBase: Uint8Array;
  /** What sections start at multiples of in memory, in bytes. */
  readonly sectionAlignment: number;
  /** The same in the file. */
  readonly fileAlignment: number;
  readonly versions: Uint8Array;
  /** Bytes of the program in memory. */
  readonly imageSize: number;
  /** Bytes of all headers, rounded up to {@link fileAlignment}. */
  readonly headersSize: number;
  readonly checksum: number;
  readonly subsystem: number;
}

export const optionalHeader: RecordType<OptionalHeader> = record({
  magic: u16, // 0x0
  linkerVersion: u16, // 0x2
  codeSize: u32, // 0x4
  dataSize: u32, // 0x8
  zeroDataSize: u32, // 0xc
  entryPoint: u32, // 0x10
  codeBase: u32, // 0x14
  imageBase: bytes(8), // 0x18
  sectionAlignment: u32, // 0x20
  fileAlignment: u32, // 0x24
  versions: bytes(16), // 0x28
  imageSize: u32, // 0x38
  headersSize: u32, // 0x3c
  checksum: u32, // 0x40
  subsystem: u16, // 0x44
});

/** Where the optional header has the number of data directories, which follow it, by its magic number (§3.4.2). */
export const DIRECTORY_COUNT_OFFSETS: ReadonlyMap<number, number> = new Map([
  [0x10b, 0x5c],
  [0x20b, 0x6c],
]);

/** A data directory (§3.4.3). */
export interface DataDirectory {
  readonly address: number;
  readonly size: number;
}

export const dataDirectory: RecordType<DataDirectory> = record({
  address: u32, // 0x0
  size: u32, // 0x4
});

/** Which data directory tells where the signatures of Secure Boot are. */
export const CERTIFICATES = 4;

/** UEFI 2.10 §2.1.1. */
export const EFI_APPLICATION = 10;

/** The header of a section (§4). Sizes and positions are in bytes. */
export interface SectionHeader {
  readonly name: Uint8Array;
  readonly virtualSize: number;
  readonly virtualAddress: number;
  readonly storedSize: number;
  readonly position: number;
  readonly relocations: Uint8Array;
  readonly characteristics: number;
}

export const sectionHeader: RecordType<SectionHeader> = record({
  name: bytes(8), // 0x0
  virtualSize: u32, // 0x8
  virtualAddress: u32, // 0xc
  storedSize: u32, // 0x10
  position: u32, // 0x14
  relocations: bytes(12), // 0x18
  characteristics: u32, // 0x24
});

/** Initialized data that is read (§4.1). */
export const DATA_SECTION = 0x40000040;
/** Code that is read and run (§4.1). */
export const CODE_SECTION = 0x60000020;

/** Processors that EFI and Linux run on (§3.3.1), by the names that systemd has for them. */
export const MACHINES = {
  332: "ia32",
  34404: "x86-64",
  43620: "aarch64",
  20580: "riscv64",
} as const;
export type Machine = (typeof MACHINES)[keyof typeof MACHINES];
