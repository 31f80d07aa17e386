import type { EfiArchitecture } from "./architecture.ts";
import type { BootEntry } from "./entry.ts";
import { fileNamePart } from "./names.ts";
import { withRoot } from "./options.ts";

/** An entry as people write it: what is missing follows from the rest. */
export interface GivenEntry {
  /** What the menu shows. */
  readonly title: string;
  /** The kernel, or a program of UEFI: one of both. Paths are those of the staged tree. */
  readonly linux?: string | undefined;
  readonly efi?: string | undefined;
  readonly initrds?: readonly string[] | undefined;
  readonly devicetree?: string | undefined;
  /** The kernel command line. Without a root in it, that of the image is added. */
  readonly options?: string | undefined;
  /** Default: follows from the title and the version. */
  readonly id?: string | undefined;
  readonly version?: string | undefined;
  readonly sortKey?: string | undefined;
  readonly machineId?: string | undefined;
  readonly architecture?: EfiArchitecture | undefined;
}

/** Completes given entries: `options` are those of kernels that are given none. Notes what cannot be one. */
export function givenEntries(
  given: readonly GivenEntry[],
  options: string,
  rootDevice: string,
  problems: string[],
): BootEntry[] {
  return given.flatMap((entry): BootEntry[] => {
    const { title, linux, efi, initrds = [], devicetree, version, sortKey, machineId, architecture } = entry;
    const id = entry.id ?? fileNamePart([title, version].filter((part) => part !== undefined).join("-"));
    const common = { id, title, version, sortKey, machineId, architecture };
    if ((linux === undefined) === (efi === undefined)) {
      problems.push(
        `boot entry ${id}: either a kernel or a program of UEFI is to be given, as linux or as efi`,
      );
      return [];
    }
    if (linux !== undefined) {
      const line = withRoot(entry.options ?? options, rootDevice);
      return [{ ...common, linux, initrds, devicetree, options: line }];
    }
    if (initrds.length > 0 || devicetree !== undefined) {
      problems.push(`boot entry ${id}: initrds and devicetree are for kernels, not for programs of UEFI`);
    }
    return [{ ...common, efi: efi!, options: entry.options?.trim() ?? "" }];
  });
}
