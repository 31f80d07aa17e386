import { InvalidArgumentError } from "commander";
import { parseTime as secondsOf } from "../bytes/index.ts";

// What the arguments of options mean.

/** `UID:GID`, as numbers. */
export function parseOwner(text: string): string {
  const match = /^(\d+):(\d+)$/.exec(text);
  if (match === null || Number(match[1]) > LARGEST_ID || Number(match[2]) > LARGEST_ID) {
    throw new InvalidArgumentError("Use two numbers up to 4294967295, such as 0:0 or 1000:100.");
  }
  return text;
}

const LARGEST_ID = 2 ** 32 - 1;

/** Seconds since 1970 as a number, or a date as ISO 8601 writes it. */
export function parseTime(text: string): number {
  try {
    return secondsOf(text);
  } catch {
    throw new InvalidArgumentError(
      "Use seconds since 1970, or a date such as 2026-11-23 or 2026-11-23T12:00:00Z.",
    );
  }
}

/** The clock of reproducible builds (reproducible-builds.org/specs/source-date-epoch). */
export function sourceDateEpoch(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError(`SOURCE_DATE_EPOCH is "${text}": it must be whole seconds since 1970.`);
  }
  return Number(text);
}

/** A whole number. */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Use a whole number.");
  return Number(text);
}

/** A share in percent, up to 50. */
export function parsePercent(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!/^\d+(\.\d+)?%?$/.test(text) || value > 50)
    throw new InvalidArgumentError("Use a number from 0 to 50.");
  return value;
}

/** A number of 32 bits, not zero. */
export function parseSignature(text: string): number {
  const value = /^0x[0-9a-f]{1,8}$/i.test(text) || /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value < 2 ** 32))
    throw new InvalidArgumentError("Use a number such as 0x0b49b940, not zero.");
  return value;
}

/** The bytes of a sector. */
/** A level of compression; which ones there are depends on the format. */
export function parseLevel(text: string): number {
  if (!/^\d{1,2}$/.test(text) || Number(text) > 22)
    throw new InvalidArgumentError("Use a number from 0 to 22.");
  return Number(text);
}

/** A number of threads. */
export function parseWorkers(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError("Use a number from 1 to 999.");
  return Number(text);
}

/** Whole seconds. */
export function parseSeconds(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("Use whole seconds, 0 to 99999.");
  return Number(text);
}

export function parseSector(text: string): number {
  if (text !== "512" && text !== "4096") throw new InvalidArgumentError("Use 512 or 4096.");
  return Number(text);
}
