import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { run } from "./referee.ts";

/** Mounts an ext4 filesystem while `look` looks at it; false where the host has no loop devices. */
export function withMount(image: string, options: string, look: (mountPoint: string) => void): boolean {
  const mountPoint = mkdtempSync(join(tmpdir(), "diskwright-mount-"));
  try {
    const mount = spawnSync("mount", ["-t", "ext4", "-o", `loop,${options}`, image, mountPoint], {
      encoding: "utf8",
    });
    const isHost = /loop device|permission denied|must be superuser|only root/.test(mount.stderr);
    if (mount.status !== 0 && isHost && process.env.CI !== "true") return false;
    expect(mount.stderr).toBe("");
    try {
      look(mountPoint);
    } finally {
      expect(run("umount", [mountPoint]).output).toBe("");
    }
  } finally {
    rmdirSync(mountPoint);
  }
  return true;
}
