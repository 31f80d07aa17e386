import { resolve } from "node:path";
import {
  type BootContext,
  type BootInstallation,
  collectEntries,
  type EntryOptions,
  installGrub,
  installSystemdBoot,
  installUnifiedKernel,
  type LinuxEntry,
  unifiedKernels,
  withFilesStaged,
} from "../boot/index.ts";
import { DiskwrightError } from "../errors.ts";
import type { Content } from "../extents/index.ts";
import { bootContext, type ImageSpec, image } from "../image/index.ts";
import { type Spec, specImages } from "../spec/index.ts";
import type { Tree } from "../tree/index.ts";
import { directory } from "./directory.ts";
import type { StageOptions } from "./stage.ts";

/**
 * What makes an image boot by the loader that a spec names. Its files come from the tree, or from a directory of the
 * host; nothing is run.
 *
 * @throws DiskwrightError `INVALID_SPEC` and others, as the loaders throw them.
 */
export async function installBootloader(
  spec: Spec,
  described: ImageSpec,
  { signal }: StageOptions,
): Promise<BootInstallation> {
  const context = bootContext(image(described));
  const { bootEntriesOf } = await specImages();
  const entries = { entries: bootEntriesOf(spec), kernelOptions: spec.kernelOptions };
  const files =
    spec.bootFiles === undefined ? undefined : await directory(resolve(spec.bootFiles), { signal });
  switch (spec.bootloader) {
    case "grub":
      return await grub(context, spec, entries, files);
    case "unified-kernel":
      return await installUnifiedKernel(context, { ...entries, stubs: stubsIn(files) });
    default:
      return await systemdBoot(context, spec, entries, files);
  }
}

function stubsIn(files: Tree | undefined): Content[] | undefined {
  return files && programsIn(files, /^linux[a-z0-9]+\.efi\.stub$/);
}

async function systemdBoot(
  context: BootContext,
  { bootTimeout, bootFiles, unifiedKernels: isUnified = false }: Spec,
  entries: EntryOptions,
  files: Tree | undefined,
): Promise<BootInstallation> {
  const loader = bootTimeout === undefined ? undefined : { timeout: bootTimeout };
  const loaders = files && programsIn(files, /^systemd-boot[a-z0-9]+\.efi$/);
  if (loaders?.length === 0) {
    throw new DiskwrightError(
      "SOURCE_UNREADABLE",
      `${bootFiles}: there is no systemd-boot*.efi in it: name the directory of the package systemd-boot-efi`,
      { path: bootFiles! },
    );
  }
  if (!isUnified) return await installSystemdBoot(context, { ...entries, loaders, loader });
  const kernels = await unifiedKernels(context, { ...entries, stubs: stubsIn(files) });
  const staged = withFilesStaged(context, kernels.files);
  // What lies in the tree is found by the loader itself.
  const installation = await installSystemdBoot(staged, { entries: [], loaders, loader });
  return {
    ...installation,
    files: [...kernels.files, ...installation.files],
    warnings: [...kernels.warnings, ...installation.warnings],
  };
}

/** The files in the root of a tree whose names match. */
function programsIn(tree: Tree, pattern: RegExp): Content[] {
  return [...tree.children(0)].flatMap((row) => {
    const isProgram = tree.isFile(row) && pattern.test(tree.displayPath(row).slice(1));
    return isProgram ? [tree.content(row)] : [];
  });
}

/** What GRUB's first serial console runs at, and what kernels are told by `console=ttyS0`. */
const SERIAL = { unit: 0, speed: 115_200 } as const;

async function grub(
  context: BootContext,
  { bootTimeout, serialConsole }: Spec,
  options: EntryOptions,
  files: Tree | undefined,
): Promise<BootInstallation> {
  const { entries, defaultId, warnings } = await collectEntries(context, options);
  const kernels = entries.filter((entry): entry is LinuxEntry => entry.linux !== undefined);
  const others = entries.filter(({ linux }) => linux === undefined);
  if (kernels.length === 0) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      "there is nothing that GRUB could start: install a kernel into the tree (/boot/vmlinuz-*), or give an entry",
    );
  }
  const installation = await installGrub(context, {
    entries: kernels,
    defaultEntry: kernels.some(({ id }) => id === defaultId) ? defaultId : undefined,
    timeout: bootTimeout,
    serial: serialConsole ? SERIAL : undefined,
    grub: files,
  });
  const passedOver = others.map(
    ({ id }) => `boot entry ${id}: GRUB starts kernels, no programs of UEFI: it is left out`,
  );
  return { ...installation, warnings: [...warnings, ...passedOver, ...installation.warnings] };
}
