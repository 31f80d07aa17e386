export {
  type AcceleratorProbe,
  type ChosenAccelerator,
  chooseAccelerator,
  nativeAccelerator,
  probeAccelerator,
} from "./accelerator.ts";
export type { Accelerator, DriveFile } from "./command-line.ts";
export { type DoctorFinding, type DoctorOptions, type DoctorReport, examine } from "./doctor.ts";
export { VmError, type VmEvidence } from "./error.ts";
export { type Firmware, type FirmwareOptions, findFirmware } from "./firmware.ts";
export { runHook } from "./hook.ts";
export type { VmLink, VmMount } from "./init-script.ts";
export { findKernel, type Kernel, type KernelModules, type KernelOptions } from "./kernel.ts";
export type { VmTimings } from "./machine.ts";
export { type Busybox, type Environment, findBusybox, findProgram, findQemu } from "./programs.ts";
export {
  type CommandLine,
  runInImage,
  type VmDone,
  type VmFirmware,
  type VmOptions,
  type VmPlanned,
  type VmResult,
} from "./run.ts";
export { withScratch } from "./scratch.ts";
export { type StartOptions, type StartResult, startImage } from "./start.ts";
export {
  type ImageStep,
  planStep,
  runInPlannedImage,
  type SteppedImage,
  stepPlaces,
} from "./step.ts";
export { hostFiles, type SystemFile, type SystemFiles, treeFiles } from "./system-files.ts";
