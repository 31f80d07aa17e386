export type { MenuOptions } from "./config.ts";
export type { EfiProgram } from "./efi.ts";
export { grubProblems, grubWarnings } from "./features.ts";
export { type GrubFirmware, type GrubOptions, installGrub } from "./install.ts";
export type { SerialConsole } from "./serial.ts";
