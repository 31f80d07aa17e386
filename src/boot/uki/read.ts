import { compareBytes, formatBytes, printable, utf8Text } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import { type ByteSource, readExactly } from "../../extents/index.ts";
import {
  CERTIFICATES,
  type CoffHeader,
  coffHeader,
  DIRECTORY_COUNT_OFFSETS,
  DOS_SIGNATURE,
  dataDirectory,
  MACHINES,
  type Machine,
  type OptionalHeader,
  optionalHeader,
  PE_POSITION_OFFSET,
  PE_SIGNATURE,
  sectionHeader,
} from "./structures.ts";

/** A section of an executable. Sizes and positions are in bytes. */
export interface PeSection {
  readonly name: string;
  /** Where it lies in the file. */
  readonly position: number;
  /** What it holds of the file, without what fills it up. */
  readonly size: number;
  /** What it takes of the file. */
  readonly storedSize: number;
  readonly virtualAddress: number;
  /** What it takes of the memory. */
  readonly virtualSize: number;
}

/** The headers of an executable of EFI, and where they lie in the file. */
export interface PeHeaders {
  readonly coff: CoffHeader;
  readonly coffPosition: number;
  readonly optional: OptionalHeader;
  readonly optionalPosition: number;
  /** Whether it has a signature for Secure Boot. */
  readonly isSigned: boolean;
  readonly sections: readonly PeSection[];
  /** Where the headers of the sections start. */
  readonly sectionsPosition: number;
}

/** What a unified kernel image says of itself. */
export interface UkiReport {
  /** `undefined` for a processor that is not known. */
  readonly machine: Machine | undefined;
  /** The text of its os-release file. */
  readonly osRelease: string | undefined;
  /** The release of its kernel. */
  readonly uname: string | undefined;
  readonly commandLine: string | undefined;
  readonly sections: readonly PeSection[];
}

/** Of a file, the headers of all executables that Linux boots with lie in the first part of this size. */
const HEAD_SIZE = 64 * 1024;

/** Windows takes 96. */
const MOST_SECTIONS = 1000;

/** More is no text about a kernel. */
const LARGEST_TEXT = 1024 * 1024;

/**
 * The sections of an executable of EFI.
 *
 * @throws DiskwrightError `UNSUPPORTED_IMAGE` when it is none, `CORRUPT` when it breaks the rules.
 */
export function peSections(bytes: Uint8Array): readonly PeSection[] {
  return readPeHeaders(bytes, bytes.length).sections;
}

/** The processor that an executable is for; `undefined` for one that is not known. */
export function machineOf({ machine }: CoffHeader): Machine | undefined {
  return (MACHINES as Readonly<Record<number, Machine>>)[machine];
}

/**
 * What a unified kernel image (UAPI.5) says of itself, of which only that is read; `undefined` when the file is
 * something else.
 *
 * @throws DiskwrightError `CORRUPT` when it breaks the rules.
 */
export async function readUki(file: ByteSource): Promise<UkiReport | undefined> {
  const head = await file.read(0, Math.min(HEAD_SIZE, file.size));
  if (!isPe(head)) return undefined;
  const { coff, sections } = readPeHeaders(head, file.size);
  if (sections.every(({ name }) => name !== ".linux")) return undefined;

  async function text(wanted: string): Promise<string | undefined> {
    const section = sections.find(({ name }) => name === wanted);
    if (section === undefined) return undefined;
    if (section.size > LARGEST_TEXT) {
      damaged(
        `its section ${wanted} has ${formatBytes(section.size)}, ${formatBytes(LARGEST_TEXT)} are read`,
      );
    }
    const bytes = await readExactly(file, section.position, section.size, `the section ${wanted}`);
    // Some tools write a NUL behind the text.
    const found = utf8Text(bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1));
    if (found === undefined) damaged(`its section ${wanted} is no UTF-8 text`);
    return found;
  }

  return {
    machine: machineOf(coff),
    osRelease: await text(".osrel"),
    uname: await text(".uname"),
    commandLine: await text(".cmdline"),
    sections,
  };
}

/** Whether a file that starts so is an executable of EFI or Windows. */
function isPe(head: Uint8Array): boolean {
  if (head.length < PE_POSITION_OFFSET + 4) return false;
  if (compareBytes(head.subarray(0, DOS_SIGNATURE.length), DOS_SIGNATURE) !== 0) return false;
  const position = pePosition(head);
  return compareBytes(head.subarray(position, position + PE_SIGNATURE.length), PE_SIGNATURE) === 0;
}

function pePosition(head: Uint8Array): number {
  return new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(PE_POSITION_OFFSET, true);
}

/**
 * The headers of an executable that starts with `head` and has `fileSize` bytes.
 *
 * @throws DiskwrightError `UNSUPPORTED_IMAGE` when it is none, `CORRUPT` when it breaks the rules.
 */
export function readPeHeaders(head: Uint8Array, fileSize: number): PeHeaders {
  if (!isPe(head))
    throw new DiskwrightError("UNSUPPORTED_IMAGE", "the file is no executable of EFI (PE/COFF)");
  const within = (end: number, what: string): void => {
    if (end > head.length) damaged(`${what} ends at byte ${end}, of ${head.length} that were looked at`);
  };
  const coffPosition = pePosition(head) + PE_SIGNATURE.length;
  within(coffPosition + coffHeader.span, "its COFF header");
  const coff = coffHeader.fromBytes(head, coffPosition);
  if (coff.sections > MOST_SECTIONS) damaged(`it has ${coff.sections} sections, ${MOST_SECTIONS} are read`);
  const optionalPosition = coffPosition + coffHeader.span;
  const sectionsPosition = optionalPosition + coff.optionalHeaderSize;
  within(sectionsPosition + coff.sections * sectionHeader.span, "its table of sections");
  if (coff.optionalHeaderSize < optionalHeader.span) {
    damaged(`its optional header has ${coff.optionalHeaderSize} bytes`);
  }
  const optional = optionalHeader.fromBytes(head, optionalPosition);
  const sections = Array.from({ length: coff.sections }, (_, index) =>
    readSection(head, sectionsPosition + index * sectionHeader.span, fileSize),
  );
  return {
    coff,
    coffPosition,
    optional,
    optionalPosition,
    isSigned: isSigned(head.subarray(optionalPosition, sectionsPosition), optional.magic),
    sections,
    sectionsPosition,
  };
}

function isSigned(optional: Uint8Array, magic: number): boolean {
  const countOffset = DIRECTORY_COUNT_OFFSETS.get(magic);
  if (countOffset === undefined) damaged(`its optional header has the magic number 0x${magic.toString(16)}`);
  if (countOffset + 4 > optional.length) damaged(`its optional header has ${optional.length} bytes`);
  const count = new DataView(optional.buffer, optional.byteOffset).getUint32(countOffset, true);
  const position = countOffset + 4 + CERTIFICATES * dataDirectory.span;
  if (count <= CERTIFICATES || position + dataDirectory.span > optional.length) return false;
  return dataDirectory.fromBytes(optional, position).size > 0;
}

function readSection(head: Uint8Array, at: number, fileSize: number): PeSection {
  const header = sectionHeader.fromBytes(head, at);
  const end = header.name.indexOf(0);
  const name = printable(end < 0 ? header.name : header.name.subarray(0, end));
  const { position, storedSize, virtualAddress, virtualSize } = header;
  if (storedSize > 0 && position + storedSize > fileSize) {
    damaged(
      `its section ${name} ends at byte ${position + storedSize}, the file at ${fileSize}: it was cut off`,
    );
  }
  // A size of 0 in memory is that in the file.
  const size = virtualSize === 0 ? storedSize : Math.min(virtualSize, storedSize);
  return { name, position, size, storedSize, virtualAddress, virtualSize };
}

export function damaged(reason: string): never {
  throw new DiskwrightError("CORRUPT", `the EFI executable is damaged: ${reason}`);
}
