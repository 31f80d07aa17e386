import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A kernel for machines in tests, with its modules. */
export interface TestKernel {
  /** The kernel's file. */
  readonly vmlinuz: string;
  /** The directory of its modules, `…/lib/modules/RELEASE`. */
  readonly modules: string;
  /** What `uname -r` says when it runs. */
  readonly release: string;
  /** The directory that it was unpacked into: below it are `boot` and `lib`. */
  readonly root: string;
}

/** Debian's kernel for clouds: small, with ext4, NVMe and the serial line built in. */
const PACKAGE = "linux-image-cloud-amd64";
const CACHE = join(tmpdir(), "diskwright-test-kernel-cloud");

// The package is empty and names the one with the current kernel.
const FETCH = `set -e
name=$(apt-cache depends --important ${PACKAGE} | sed -n 's/^ *Depends: *//p' | head -n 1)
apt-get download -qq "$name"
dpkg -x linux-image-*.deb .
rm linux-image-*.deb`;

/**
 * The cloud kernel of Debian, which is fetched once for this host; `undefined` where that is not possible. In CI that
 * is an error.
 */
export function cloudKernel(): TestKernel | undefined {
  if (!existsSync(CACHE) && !fetchKernel()) return undefined;
  const release = readdirSync(join(CACHE, "lib/modules"))[0]!;
  return {
    vmlinuz: join(CACHE, `boot/vmlinuz-${release}`),
    modules: join(CACHE, "lib/modules", release),
    release,
    root: CACHE,
  };
}

/** Several processes may fetch it at once; one of them is heard. */
function fetchKernel(): boolean {
  const directory = mkdtempSync(`${CACHE}-`);
  try {
    const { status, stderr, error } = spawnSync("sh", ["-c", FETCH], { cwd: directory, encoding: "utf8" });
    if (status !== 0) {
      const message = `${PACKAGE} cannot be fetched: ${error?.message ?? stderr.trim()}`;
      if (process.env.CI === "true") throw new Error(message);
      console.warn(message);
      return false;
    }
    if (!existsSync(CACHE)) renameSync(directory, CACHE);
    return true;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
