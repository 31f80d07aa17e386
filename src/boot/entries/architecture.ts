import { u16, u32 } from "../../bytes/index.ts";

/**
 * Architectures by the names that UEFI has for them in file names (`BOOTX64.EFI`, UEFI 2.10 §3.5.1.1), in lower
 * case, each with the machine type of its programs (PE/COFF specification §3.3.1 "Machine Types").
 */
const MACHINES = {
  ia32: 0x014c,
  x64: 0x8664,
  arm: 0x01c2,
  aa64: 0xaa64,
  riscv64: 0x5064,
  loongarch64: 0x6264,
} as const;

export type EfiArchitecture = keyof typeof MACHINES;

/** All of them. */
export const EFI_ARCHITECTURES: readonly EfiArchitecture[] = Object.keys(MACHINES) as EfiArchitecture[];

/** How much of a program tells what it is: more than any linker puts before its headers. */
export const HEADER_LENGTH = 0x20000;

const MZ = 0x5a4d;
const PE = 0x00004550;
const PE_OFFSET_AT = 0x3c;

/**
 * The architecture of a UEFI program, from the start of it; `undefined` when it is none (PE/COFF specification §2.1,
 * §2.2), or one for a machine that is not listed.
 */
export function efiArchitecture(start: Uint8Array): EfiArchitecture | undefined {
  if (start.length < PE_OFFSET_AT + 4 || u16.decode(start, 0) !== MZ) return undefined;
  const offset = u32.decode(start, PE_OFFSET_AT);
  if (offset + 6 > start.length || u32.decode(start, offset) !== PE) return undefined;
  const machine = u16.decode(start, offset + 4);
  return EFI_ARCHITECTURES.find((name) => MACHINES[name] === machine);
}
