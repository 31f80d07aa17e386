/** A parameter: quotes hold blanks together (Linux, Documentation/admin-guide/kernel-parameters.rst). */
const PARAMETER = /(?:[^\s"]|"[^"]*"?)+/g;

/** Parameters that say where the root is. */
const NAMES_ROOT = /^"?(?:root|roothash)=/;

/** Behind `--`, parameters are those of init. */
const INIT_PARAMETERS = "--";

/** The parameters of a kernel command line that are for the kernel. */
export function kernelParameters(options: string): string[] {
  const parameters: string[] = options.match(PARAMETER) ?? [];
  const end = parameters.indexOf(INIT_PARAMETERS);
  return end < 0 ? parameters : parameters.slice(0, end);
}

/** A kernel command line that says where the root is: as it is, or with `root=` and the device in front. */
export function withRoot(options: string, rootDevice: string): string {
  const trimmed = options.trim();
  if (kernelParameters(trimmed).some((parameter) => NAMES_ROOT.test(parameter))) return trimmed;
  return `root=${rootDevice} ${trimmed}`.trim();
}

/**
 * Whether only an initrd can find the root that is named: the kernel itself knows device names and the
 * identifiers of partitions, but nothing of what filesystems hold.
 */
export function needsInitrd(options: string): boolean {
  return kernelParameters(options).some((parameter) => /^"?root="?(?:UUID|LABEL)=/.test(parameter));
}
