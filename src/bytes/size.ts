import { DiskwrightError } from "../errors.ts";

export const KIB = 1024;
export const MIB: number = 1024 ** 2;
export const GIB: number = 1024 ** 3;
export const TIB: number = 1024 ** 4;

const SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  K: KIB,
  KIB: KIB,
  KB: 1e3,
  M: MIB,
  MIB,
  MB: 1e6,
  G: GIB,
  GIB,
  GB: 1e9,
  T: TIB,
  TIB,
  TB: 1e12,
};

/**
 * Bytes from a size as people write it: `512M`, `512MiB` (both 2^20), `512MB` (10^6), `1.5G`, `4096`. Case
 * does not matter. Fractions must come out as whole bytes.
 *
 * @throws DiskwrightError `INVALID_SPEC`, with the accepted forms.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : SUFFIXES[match[2]!.toUpperCase()];
  const size = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  if (Number.isSafeInteger(size)) return size;
  const reason = Number.isFinite(size)
    ? size > Number.MAX_SAFE_INTEGER
      ? " (too large)"
      : " (not whole bytes)"
    : "";
  throw new DiskwrightError(
    "INVALID_SPEC",
    `"${text}" is not a size${reason}: write bytes (4096), or a number with K, M, G, T or KiB … TiB (powers of 1024), or KB … TB (powers of 1000)`,
  );
}

/** A size for people: exact in the largest unit that divides it, or with two decimals. */
export function formatSize(size: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = size;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(2);
  return `${shown} ${size === 1 ? "byte" : units[unit]}`;
}

/** A count of bytes with its digits grouped, for messages that must be exact: `1,048,576 bytes`. */
export function formatBytes(size: number): string {
  return `${String(size).replace(/\B(?=(\d{3})+$)/g, ",")} ${size === 1 ? "byte" : "bytes"}`;
}

/** The smallest multiple of `unit` that is not below `value`. Exact up to 2^53. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** The largest multiple of `unit` that is not above `value`. Exact up to 2^53. */
export function roundDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}
