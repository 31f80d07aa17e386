/**
 * The disk that cylinder, head and sector numbers are counted on. Nothing has read these numbers since the
 * 1990s, but they are bytes of the table, and writers differ in them.
 */
export interface Geometry {
  /** 1 to 255. */
  readonly heads: number;
  /** 1 to 63. */
  readonly sectorsPerTrack: number;
  /** The three bytes that stand for an address past cylinder 1023, which the 10 bits cannot hold. */
  readonly overflow: readonly [number, number, number];
}

/** What the BIOS of a large disk reports, and what sfdisk and Windows write. */
export const STANDARD_GEOMETRY: Geometry = { heads: 255, sectorsPerTrack: 63, overflow: [0xfe, 0xff, 0xff] };

/** What parted assumes of an image file; there the overflow is the last address of cylinder 1023. */
export const PARTED_FILE_GEOMETRY: Geometry = {
  heads: 4,
  sectorsPerTrack: 32,
  overflow: [0x03, 0xe0, 0xff],
};

const LAST_CYLINDER = 1023;

/** What is wrong with a geometry, or `undefined`. */
export function geometryProblem({ heads, sectorsPerTrack, overflow }: Geometry): string | undefined {
  if (!Number.isInteger(heads) || heads < 1 || heads > 255) return `${heads} heads: they are 1 to 255`;
  if (!Number.isInteger(sectorsPerTrack) || sectorsPerTrack < 1 || sectorsPerTrack > 63) {
    return `${sectorsPerTrack} sectors per track: they are 1 to 63`;
  }
  if (overflow.length !== 3 || !overflow.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)) {
    return `the overflow address [${overflow.join(", ")}] is not three bytes`;
  }
  return undefined;
}

/**
 * The packed address of a sector: the head; the sector, counted from 1, with bits 8 and 9 of the cylinder
 * above it; the low 8 bits of the cylinder.
 */
export function chsAddress(lba: number, { heads, sectorsPerTrack, overflow }: Geometry): Uint8Array {
  const track = Math.floor(lba / sectorsPerTrack);
  const cylinder = Math.floor(track / heads);
  if (cylinder > LAST_CYLINDER) return Uint8Array.from(overflow);
  const sector = (lba % sectorsPerTrack) + 1;
  return Uint8Array.of(track % heads, sector | ((cylinder >> 8) << 6), cylinder & 0xff);
}
