import { appendAll, formatBytes, GIB, largestOf, roundUp, smallestOf, utf8 } from "../../bytes/index.ts";
import { DiskwrightError, DoesNotFitError, throwProblems } from "../../errors.ts";
import { bytesContent, type Content, type JoinedContent, joinedContent } from "../../extents/index.ts";
import { damaged, machineOf, type PeHeaders, type PeSection, readPeHeaders } from "./read.ts";
import {
  CODE_SECTION,
  coffHeader,
  DATA_SECTION,
  EFI_APPLICATION,
  type Machine,
  optionalHeader,
  sectionHeader,
} from "./structures.ts";

// Unified kernel images (UAPI.5): the stub of systemd, an executable of EFI that starts a kernel, with the kernel and
// all that it is given as more sections of the same file.

/** What a unified kernel image is made of. The contents are not read. */
export interface UkiSpec {
  /** The executable that starts the kernel, such as systemd's `linuxx64.efi.stub`. */
  readonly stub: Uint8Array;
  readonly kernel: Content;
  /** Default: the one that the image is started with. */
  readonly commandLine?: string | undefined;
  /** The system's os-release file, from which boot menus take their title. */
  readonly osRelease?: Content | undefined;
  /** The release of the kernel, as `uname -r` prints it. */
  readonly uname?: string | undefined;
  /** Archives for the initial root, one over the other. */
  readonly initrds?: readonly Content[] | undefined;
  /** A picture (BMP) that is shown before the kernel starts. */
  readonly splash?: Content | undefined;
  /** A compiled device tree. */
  readonly deviceTree?: Content | undefined;
}

/** A unified kernel image. */
export interface UkiPlan {
  /** The processor of the stub. */
  readonly machine: Machine;
  /** All sections, those of the stub first. */
  readonly sections: readonly PeSection[];
  /** The whole file. */
  readonly content: JoinedContent;
}

/** A section that is to be added. */
interface NewSection {
  readonly name: string;
  readonly content: Content;
  readonly characteristics: number;
}

/** A kernel takes archives that start at multiples of this, with zeros between. */
const INITRD_ALIGNMENT = 4;

/** Firmware can protect the pages of a section from the others' when it has them for itself. */
const PAGE = 4096;

/** Positions and sizes have 32 bits. */
const LARGEST_UKI = 4 * GIB - 1;

/** The format asks for 512 to 64 KiB; stubs of old linkers have 32. */
const LARGEST_FILE_ALIGNMENT = 64 * 1024;
const LARGEST_SECTION_ALIGNMENT = 16 * 1024 * 1024;

/**
 * Plans a unified kernel image. Its contents are neither read nor copied: they are parts of the image's content.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a stub, a text or a content that cannot be used, `UNSUPPORTED_IMAGE` or
 * `CORRUPT` for a stub that is no executable, `DOES_NOT_FIT` when it would have 4 GiB or more.
 */
export function planUki(spec: UkiSpec): UkiPlan {
  const headers = readPeHeaders(spec.stub, spec.stub.length);
  const added = newSections(spec);
  const machine = machineOf(headers.coff);
  throwProblems("INVALID_SPEC", "the unified kernel image cannot be made", [
    ...stubProblems(spec.stub, headers, added),
    ...textProblems(spec),
    ...added
      .filter(({ content }) => content.size === 0)
      .map(({ name }) => `what goes into ${name} is empty: leave it out`),
  ]);
  if (machine === undefined) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `the stub is for the machine 0x${headers.coff.machine.toString(16)}, which is none of EFI and Linux`,
    );
  }
  const { sectionAlignment, fileAlignment } = headers.optional;
  checkAlignment("sections in memory", sectionAlignment, LARGEST_SECTION_ALIGNMENT);
  checkAlignment("sections in the file", fileAlignment, LARGEST_FILE_ALIGNMENT);

  const stubSize = sizeWithoutSymbols(spec.stub, headers);
  const placed = place(added, stubSize, headers);
  const parts: Content[] = [bytesContent(head(spec.stub.subarray(0, stubSize), headers, added, placed))];
  let end = stubSize;
  for (const [index, { position, storedSize }] of placed.entries()) {
    const { content } = added[index]!;
    appendAll(parts, [...zeros(position - end), content, ...zeros(storedSize - content.size)]);
    end = position + storedSize;
  }
  return { machine, sections: [...headers.sections, ...placed], content: joinedContent(parts) };
}

/** The sections in their order: the kernel is the last, so that an old one that runs in its place has room. */
function newSections(spec: UkiSpec): NewSection[] {
  const { commandLine, osRelease, uname, initrds = [], splash, deviceTree, kernel } = spec;
  const sections: NewSection[] = [];
  const add = (name: string, content: Content | undefined, characteristics = DATA_SECTION): void => {
    if (content !== undefined) sections.push({ name, content, characteristics });
  };
  const text = (value: string | undefined): Content | undefined =>
    value === undefined ? undefined : bytesContent(utf8(value));
  add(".osrel", osRelease);
  add(".cmdline", text(commandLine));
  add(".uname", text(uname));
  add(".initrd", initrds.length === 0 ? undefined : joinedInitrds(initrds));
  add(".splash", splash);
  add(".dtb", deviceTree);
  add(".linux", kernel, CODE_SECTION);
  return sections;
}

function joinedInitrds(initrds: readonly Content[]): Content {
  const [only, ...others] = initrds;
  if (only !== undefined && others.length === 0) return only;
  return joinedContent(
    initrds.flatMap((initrd, index) => {
      const isLast = index === initrds.length - 1;
      return isLast ? [initrd] : [initrd, ...zeros(roundUp(initrd.size, INITRD_ALIGNMENT) - initrd.size)];
    }),
  );
}

function zeros(length: number): Content[] {
  return length === 0 ? [] : [bytesContent(new Uint8Array(length))];
}

function* stubProblems(
  stub: Uint8Array,
  { optional, isSigned, sections, coff, sectionsPosition }: PeHeaders,
  added: readonly NewSection[],
): Generator<string> {
  if (optional.subsystem !== EFI_APPLICATION) {
    yield `the stub is for the subsystem ${optional.subsystem}, not an EFI application (${EFI_APPLICATION})`;
  }
  if (isSigned)
    yield "the stub is signed, which more sections would break: remove the signature, and sign the result";
  const taken = sections.filter(({ name }) => added.some((section) => section.name === name));
  if (taken.length > 0) {
    yield `the stub has ${taken.map(({ name }) => name).join(", ")} already: it may be a unified kernel image itself`;
  }
  const start = sectionsPosition + coff.sections * sectionHeader.span;
  const room = Math.floor(
    (roomEnd(stub, start, optional.headersSize, sections) - start) / sectionHeader.span,
  );
  if (room < added.length) {
    yield `the stub has room for ${Math.max(0, room)} more sections, ${added.length} are to be added: leave some out, or use another stub`;
  }
}

/** Where something else begins behind the table of sections. */
function roomEnd(
  stub: Uint8Array,
  start: number,
  headersSize: number,
  sections: readonly PeSection[],
): number {
  const positions = sections.filter(({ storedSize }) => storedSize > 0).map(({ position }) => position);
  const end = smallestOf([headersSize, stub.length, ...positions]);
  const used = stub.subarray(start, end).findIndex((byte) => byte !== 0);
  return used < 0 ? end : start + used;
}

function* textProblems({ commandLine = "", uname = "" }: UkiSpec): Generator<string> {
  const bad = /[\0\n]/;
  if (bad.test(commandLine)) yield `the command line ${JSON.stringify(commandLine)} is not one line`;
  if (bad.test(uname)) yield `the kernel's release ${JSON.stringify(uname)} is not one line`;
}

function checkAlignment(what: string, alignment: number, largest: number): void {
  const isPowerOfTwo = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (!isPowerOfTwo || alignment > largest) damaged(`it aligns ${what} to ${alignment} bytes`);
}

/** Symbols for debuggers have no place in an image (§3.3), and would lie between the sections. */
function sizeWithoutSymbols(stub: Uint8Array, { coff, optional, sections }: PeHeaders): number {
  const ends = sections.map(({ position, storedSize }) => position + storedSize);
  const end = Math.min(stub.length, largestOf([optional.headersSize, ...ends]));
  return coff.symbols >= end ? end : stub.length;
}

/** Places sections behind those of the stub, in the file and in memory. */
function place(
  added: readonly NewSection[],
  stubSize: number,
  { optional, sections }: PeHeaders,
): PeSection[] {
  const { sectionAlignment, fileAlignment, imageSize } = optional;
  let position = stubSize;
  let address = largestOf([
    imageSize,
    ...sections.map(({ virtualAddress, virtualSize }) => virtualAddress + virtualSize),
  ]);
  const placed = added.map(({ name, content: { size } }) => {
    position = roundUp(position, fileAlignment);
    address = roundUp(address, Math.max(sectionAlignment, PAGE));
    const storedSize = roundUp(size, fileAlignment);
    const section = { name, position, size, storedSize, virtualAddress: address, virtualSize: size };
    position += storedSize;
    address += size;
    return section;
  });
  const size = Math.max(position, roundUp(address, sectionAlignment));
  if (size > LARGEST_UKI) {
    throw new DoesNotFitError(
      `the unified kernel image would have ${formatBytes(size)}, less than 4 GiB are possible: use a smaller initrd`,
      size - LARGEST_UKI,
    );
  }
  return placed;
}

/** The stub with the headers of the image. */
function head(
  stub: Uint8Array,
  { coff, coffPosition, optional, optionalPosition, sectionsPosition }: PeHeaders,
  added: readonly NewSection[],
  placed: readonly PeSection[],
): Uint8Array {
  const bytes = Uint8Array.from(stub);
  /** The bytes of a kind that the stub counts, with those that are added. */
  const counted = (stubs: number, characteristics: number): number => {
    const isOfKind = (index: number): boolean => added[index]!.characteristics === characteristics;
    const sizes = placed.map(({ storedSize }, index) => (isOfKind(index) ? storedSize : 0));
    return sizes.reduce((total, size) => total + size, stubs) % 2 ** 32;
  };
  const last = placed.at(-1)!;
  const count = coff.sections + placed.length;
  coffHeader.encode({ ...coff, sections: count, symbols: 0, symbolCount: 0 }, bytes, coffPosition, "");
  optionalHeader.encode(
    {
      ...optional,
      codeSize: counted(optional.codeSize, CODE_SECTION),
      dataSize: counted(optional.dataSize, DATA_SECTION),
      imageSize: roundUp(last.virtualAddress + last.virtualSize, optional.sectionAlignment),
      // It covers the contents, which are not read; firmware of EFI does not look at it (0: none).
      checksum: 0,
    },
    bytes,
    optionalPosition,
    "",
  );
  const start = sectionsPosition + coff.sections * sectionHeader.span;
  for (const [index, section] of placed.entries()) {
    const { name, virtualSize, virtualAddress, storedSize, position } = section;
    const header = {
      name: utf8(name),
      virtualSize,
      virtualAddress,
      storedSize,
      position,
      relocations: new Uint8Array(12),
      characteristics: added[index]!.characteristics,
    };
    sectionHeader.encode(header, bytes, start + index * sectionHeader.span, "");
  }
  return bytes;
}
