import {
  bytes,
  fields,
  flag,
  type Kind,
  list,
  mapping,
  number,
  oneOf,
  optional,
  type Required,
  routine,
  shownValue,
  text,
} from "../arguments/index.ts";
import { signalKind } from "../extents/index.ts";
import { hostPathKind } from "../node/index.ts";
import type { VmLink, VmMount } from "./init-script.ts";
import type { Kernel, KernelOptions } from "./kernel.ts";
import type { VmFirmware, VmOptions } from "./run.ts";
import type { StartOptions } from "./start.ts";
import type { ImageStep } from "./step.ts";

// What the types of this room look like at run time. Words and ranges are checked where they get a meaning.

const accelerator = optional(oneOf("auto", "kvm", "hvf", "whpx", "tcg"));
const callback = optional(routine);

const kernel = fields<Kernel>(
  "a kernel, such as findKernel(files) gives",
  { path: text, release: text, bytes, modules: fields("its modules", {}, { isOpen: true }) },
  { isOpen: true },
);

const kernelOptions = fields<KernelOptions>("which kernel: { kernel, modules }", {
  kernel: optional(text),
  modules: optional(text),
});

const firmware = fields<VmFirmware>("firmware: { variables, secureBoot }", {
  variables: hostPathKind,
  secureBoot: optional(flag),
});

/** A script: text, or its bytes where it is not UTF-8. */
const script: Kind = {
  expected: "the script itself, as text or as a Uint8Array",
  problem: (value) =>
    typeof value === "string" || value instanceof Uint8Array
      ? undefined
      : { path: "", message: `is ${shownValue(value)}: give ${script.expected}` },
};

const machineFields = {
  script: { ...script, isOptional: false },
  busybox: optional(hostPathKind),
  efi: optional(firmware),
  memoryMiB: optional(number),
  cpus: optional(number),
  accelerator,
  timeoutSeconds: optional(number),
  signal: optional(signalKind),
  qemu: optional(hostPathKind),
  extraArguments: optional(list(text, "an array of text")),
  environment: optional(mapping(text, "variables and their values")),
  time: optional(number),
  onOutput: callback,
  onConsole: callback,
  consoleLog: optional(hostPathKind),
} as const;

export const vmOptionsKind: Required = fields<VmOptions>("the options of runInImage", {
  ...machineFields,
  image: hostPathKind,
  sectorSize: optional(oneOf(512, 4096)),
  root: fields<VmOptions["root"]>("the root: { partition, type }", {
    partition: number,
    type: optional(text),
  }),
  mounts: optional(
    list(fields<VmMount>("a mount", { partition: number, path: text, type: text }), "an array of mounts"),
  ),
  links: optional(list(fields<VmLink>("a link", { path: text, partition: number }), "an array of links")),
  kernel,
  dryRun: optional(flag),
});

export const imageStepKind: Required = fields<ImageStep>("a step in a virtual machine", {
  ...machineFields,
  kernel: optional({
    expected: kernelOptions.expected,
    problem: (value) =>
      (typeof value === "object" && value !== null && "bytes" in value ? kernel : kernelOptions).problem(
        value,
      ),
  }),
  devices: optional(list(text, "an array of text")),
  isInPlace: optional(flag),
  directory: optional(hostPathKind),
});

export const startOptionsKind: Required = fields<StartOptions>("the options of startImage", {
  image: hostPathKind,
  format: text,
  sectorSize: optional(oneOf(512, 4096)),
  firmware: oneOf("bios", "uefi"),
  secureBoot: optional(flag),
  variables: optional(hostPathKind),
  keepChanges: optional(flag),
  memoryMiB: optional(number),
  cpus: optional(number),
  accelerator,
  disk: optional(oneOf("virtio", "nvme")),
  display: optional(oneOf("none", "window")),
  qemu: optional(hostPathKind),
  extraArguments: optional(list(text, "an array of text")),
  signal: optional(signalKind),
  dryRun: optional(flag),
});
