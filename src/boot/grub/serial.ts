import { throwProblems } from "../../errors.ts";

/** A serial port on which GRUB started by a BIOS shows its menu and its messages. */
export interface SerialConsole {
  /** 0 … 3: COM1 … COM4. */
  readonly unit: number;
  /** Bits in a second. */
  readonly speed: number;
}

const SPEEDS: readonly number[] = [2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200];

/** @throws DiskwrightError `INVALID_SPEC` for a port that no PC has, or a speed that GRUB does not know. */
export function checkSerial({ unit, speed }: SerialConsole): void {
  const problems = [];
  if (!(Number.isInteger(unit) && unit >= 0 && unit <= 3)) problems.push(`port ${unit}: use 0 to 3`);
  if (!SPEEDS.includes(speed)) problems.push(`speed ${speed}: use ${SPEEDS.join(", ")}`);
  throwProblems("INVALID_SPEC", "GRUB has no such serial console", problems);
}
