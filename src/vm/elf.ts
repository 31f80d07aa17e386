import { bytes, type RecordType, record, reserved, u8, u16, u32, u64 } from "../bytes/index.ts";

// ELF for 64-bit little-endian machines (System V ABI, "Object Files"), as far as programs and modules of the kernel
// tell about themselves.

/** The header of an ELF file. */
interface ElfHeader {
  readonly magic: Uint8Array;
  /** 2: 64 bits. */
  readonly fileClass: number;
  /** 1: little-endian. */
  readonly byteOrder: number;
  readonly machine: number;
  readonly programHeaders: bigint;
  readonly sectionHeaders: bigint;
  readonly programHeaderSize: number;
  readonly programHeaderCount: number;
  readonly sectionHeaderSize: number;
  readonly sectionHeaderCount: number;
  /** The section that holds the names of sections. */
  readonly nameSection: number;
}

const elfHeader: RecordType<ElfHeader> = record({
  magic: bytes(4), // 0x0
  fileClass: u8, // 0x4
  byteOrder: u8, // 0x5
  identification: reserved(10), // 0x6
  type: reserved(2), // 0x10
  machine: u16, // 0x12
  version: reserved(4), // 0x14
  entry: reserved(8), // 0x18
  programHeaders: u64, // 0x20
  sectionHeaders: u64, // 0x28
  flags: reserved(4), // 0x30
  headerSize: reserved(2), // 0x34
  programHeaderSize: u16, // 0x36
  programHeaderCount: u16, // 0x38
  sectionHeaderSize: u16, // 0x3a
  sectionHeaderCount: u16, // 0x3c
  nameSection: u16, // 0x3e
});

/** Where a section lies. */
interface SectionHeader {
  /** Where its name starts in the section of names. */
  readonly name: number;
  readonly offset: bigint;
  readonly size: bigint;
}

const sectionHeader: RecordType<SectionHeader> = record({
  name: u32, // 0x0
  type: reserved(4), // 0x4
  flags: reserved(8), // 0x8
  address: reserved(8), // 0x10
  offset: u64, // 0x18
  size: u64, // 0x20
  link: reserved(4), // 0x28
  information: reserved(4), // 0x2c
  alignment: reserved(8), // 0x30
  entrySize: reserved(8), // 0x38
});

const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
/** The segment that names the program which loads the shared libraries. */
const SEGMENT_INTERPRETER = 3;

/** The number of x86-64 among the machines. */
export const MACHINE_X86_64 = 62;

/** An ELF file; `undefined` when the bytes are none for 64-bit little-endian machines. */
export function elfFile(file: Uint8Array): ElfFile | undefined {
  if (file.length < elfHeader.span) return undefined;
  const header = elfHeader.fromBytes(file);
  const isElf = MAGIC.every((byte, index) => header.magic[index] === byte);
  if (!isElf || header.fileClass !== CLASS_64 || header.byteOrder !== LITTLE_ENDIAN) return undefined;
  return new ElfFile(file, header);
}

/** What an ELF file tells. What points out of the file counts as missing. */
export class ElfFile {
  readonly #file: Uint8Array;
  readonly #header: ElfHeader;

  constructor(file: Uint8Array, header: ElfHeader) {
    this.#file = file;
    this.#header = header;
  }

  get machine(): number {
    return this.#header.machine;
  }

  /** Whether it is a program that needs shared libraries. */
  get isDynamic(): boolean {
    const { programHeaders, programHeaderSize, programHeaderCount } = this.#header;
    for (let index = 0; index < programHeaderCount; index++) {
      const type = this.#part(programHeaders + BigInt(index * programHeaderSize), 4n);
      if (type !== undefined && u32.decode(type, 0) === SEGMENT_INTERPRETER) return true;
    }
    return false;
  }

  /** What the first section of a name holds; `undefined` when there is none. */
  section(name: string): Uint8Array | undefined {
    const { nameSection, sectionHeaderCount } = this.#header;
    const names = this.#sectionBytes(nameSection);
    if (names === undefined) return undefined;
    for (let index = 0; index < sectionHeaderCount; index++) {
      const header = this.#sectionHeader(index);
      if (header !== undefined && startsWithName(names, header.name, name)) return this.#sectionBytes(index);
    }
    return undefined;
  }

  #sectionHeader(index: number): SectionHeader | undefined {
    const { sectionHeaders, sectionHeaderSize } = this.#header;
    const at = sectionHeaders + BigInt(index * sectionHeaderSize);
    const part = this.#part(at, BigInt(sectionHeader.span));
    return part && sectionHeader.fromBytes(part);
  }

  #sectionBytes(index: number): Uint8Array | undefined {
    const header = this.#sectionHeader(index);
    return header && this.#part(header.offset, header.size);
  }

  #part(offset: bigint, size: bigint): Uint8Array | undefined {
    if (offset + size > BigInt(this.#file.length)) return undefined;
    return this.#file.subarray(Number(offset), Number(offset + size));
  }
}

function startsWithName(names: Uint8Array, start: number, name: string): boolean {
  if (names[start + name.length] !== 0) return false;
  for (let index = 0; index < name.length; index++) {
    if (names[start + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}
