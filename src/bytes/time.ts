import { DiskwrightError } from "../errors.ts";

const ISO = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Seconds since 1970 from text: a number of them, or a date as ISO 8601 writes it, with a time zone where it has a
 * time.
 *
 * @throws DiskwrightError `INVALID_SPEC`.
 */
export function parseTime(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const milliseconds = ISO.test(text) ? Date.parse(text) : Number.NaN;
  if (milliseconds >= 0) return Math.floor(milliseconds / 1000);
  throw new DiskwrightError(
    "INVALID_SPEC",
    `time "${text}": use seconds since 1970, or a date such as 2026-11-23 or 2026-11-23T12:00:00Z`,
  );
}
