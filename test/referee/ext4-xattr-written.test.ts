import { createHash } from "node:crypto";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type BlockSize, type Ext4Options, planExt4, writeExt4 } from "../../src/ext4/index.ts";
import { type Entry, treeOf } from "../../src/tree/index.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { saveExtents } from "../support/save.ts";
import { acl, anyXattrs, type Xattrs } from "../support/xattrs.ts";

const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";
const scratch = scratchDirectory();

async function make(entries: readonly Entry[], options: Partial<Ext4Options> = {}): Promise<string> {
  const plan = planExt4(treeOf(entries), { uuid, ...options });
  return await saveExtents(scratch, "xattrs.img", () => writeExt4(plan), plan.size);
}

const READ_ALL = `
import hashlib, json, os, sys
found = {}
def digest(value):
    return value.hex() if len(value) <= 32 else hashlib.md5(value).hexdigest()
for top, directories, files in os.walk(sys.argv[1]):
    for path in [top] + [os.path.join(top, name) for name in files]:
        names = os.listxattr(path, follow_symlinks=False)
        found[os.path.relpath(path, sys.argv[1])] = {name: digest(os.getxattr(path, name, follow_symlinks=False)) for name in names}
print(json.dumps(found))
`;

/** All attributes that the kernel gives, by path and name: short ones in digits, long ones as their hash. */
function kernelXattrs(image: string): Record<string, Record<string, string>> | undefined {
  let text = "";
  const isMounted = withMount(image, "ro", (mountPoint) => {
    const { stdout, stderr } = run("python3", ["-c", READ_ALL, mountPoint]);
    expect(stderr).toBe("");
    text = stdout;
  });
  return isMounted ? JSON.parse(text) : undefined;
}

function digests(xattrs: Xattrs): Record<string, string> {
  const digest = (value: Uint8Array): string =>
    value.length <= 32 ? Buffer.from(value).toString("hex") : createHash("md5").update(value).digest("hex");
  return Object.fromEntries([...xattrs].map(([name, value]) => [name, digest(value)]));
}

async function judge(entries: readonly Entry[], options: Partial<Ext4Options>): Promise<void> {
  const image = await make(entries, options);
  expectCleanExt4(image);
  const found = kernelXattrs(image);
  if (found === undefined) return;
  for (const { path, xattrs } of entries) {
    expect(found[path as string], path as string).toEqual(digests(xattrs ?? new Map()));
  }
}

describeWith(["e2fsck", "python3"], "extended attributes before e2fsck and a kernel", () => {
  it("random sets in every block size are clean and read back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyXattrs(300, true), fc.boolean()), { minLength: 1, maxLength: 20 }),
        fc.constantFrom<BlockSize>(1024, 2048, 4096),
        fc.boolean(),
        async (sets, blockSize, valueInodes) => {
          const entries = sets.map(([xattrs, isDirectory], index): Entry => {
            if (!isDirectory) xattrs.delete("system.posix_acl_default");
            return { path: `entry-${index}`, type: isDirectory ? "directory" : "file", xattrs };
          });
          let fits = true;
          try {
            planExt4(treeOf(entries), { uuid, blockSize, features: valueInodes ? ["ea_inode"] : [] });
          } catch {
            fits = false;
          }
          fc.pre(fits);
          await judge(entries, { blockSize, features: valueInodes ? ["ea_inode"] : [] });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("large values in inodes of their own", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyXattrs(65536, true), { minLength: 1, maxLength: 10 }),
        fc.constantFrom<BlockSize>(1024, 4096),
        async (sets, blockSize) => {
          const entries = [...sets, ...sets].map(
            (xattrs, index): Entry => ({ path: `entry-${index}`, type: "directory", xattrs }),
          );
          // Long names alone can be too much for a block of 1 KiB.
          const names = sets.map((xattrs) =>
            [...xattrs.keys()].reduce((sum, { length }) => sum + length + 20, 0),
          );
          fc.pre(Math.max(...names) < 900);
          await judge(entries, { blockSize, features: ["ea_inode"] });
        },
      ),
      { numRuns: 30 },
    );
  });

  it("symlinks, devices and hard links", async () => {
    const xattrs = new Map([
      ["trusted.a", new Uint8Array(200).fill(7)],
      ["security.b", new Uint8Array(20).fill(8)],
    ]);
    await judge(
      [
        { path: "fast", type: "symlink", target: "x", xattrs },
        { path: "slow", type: "symlink", target: "x".repeat(100), xattrs },
        { path: "device", type: "character", device: { major: 1, minor: 3 }, xattrs },
        { path: "fifo", type: "fifo", xattrs },
        { path: "file", type: "file", content: "x".repeat(9000), xattrs },
        { path: "zlink", type: "hardlink", target: "file" },
      ]
        .map((entry) => entry as Entry)
        .filter(({ type }) => type !== "hardlink"),
      {},
    );
    const image = await make([
      { path: "file", type: "file", content: "x", xattrs },
      { path: "link", type: "hardlink", target: "file" },
    ]);
    expectCleanExt4(image);
    const found = kernelXattrs(image);
    if (found !== undefined) expect(found.link).toEqual(digests(xattrs));
  });

  it("a block that 2,500 files share, and value inodes behind shared blocks", async () => {
    const shared = new Map([
      ["user.note", new Uint8Array(300).fill(1)],
      ["user.large", new Uint8Array(30_000).fill(2)],
      ["user.larger", new Uint8Array(40_000).fill(3)],
      ...Array.from({ length: 4 }, (_, index): [string, Uint8Array] => [
        `user.more${index}`,
        new Uint8Array(900).fill(index),
      ]),
    ]);
    const entries = Array.from(
      { length: 2500 },
      (_, index): Entry => ({
        path: `f${index}`,
        type: "file",
        xattrs: index % 2 === 0 ? shared : new Map(shared),
      }),
    );
    await judge(entries, { features: ["ea_inode"] });
    shared.delete("user.large");
    shared.delete("user.larger");
    shared.delete("user.more0");
    await judge(
      entries.map((entry) => ({ ...entry, xattrs: shared })),
      {},
    );
  });

  it("a kernel grants what an ACL grants, and keeps the filesystem clean when it changes attributes", async () => {
    const xattrs = new Map([
      ["system.posix_acl_access", acl([1, 6], [2, 4, 1000], [4, 0], [16, 4], [32, 0])],
      ["user.large", new Uint8Array(50_000).fill(9)],
      ["user.middle", new Uint8Array(3000).fill(9)],
    ]);
    const image = await make(
      ["one", "two", "three"].map(
        (path): Entry => ({ path, type: "file", mode: 0o640, content: "secret", xattrs }),
      ),
      { features: ["ea_inode"], freeBytes: 8 << 20, inodes: 64 },
    );
    withMount(image, "rw", (mountPoint) => {
      const asUser = `import os, sys; os.setuid(int(sys.argv[2])); print(open(sys.argv[1]).read(), end="")`;
      run("chmod", ["755", mountPoint]);
      expect(run("python3", ["-c", asUser, join(mountPoint, "one"), "1000"]).stdout).toBe("secret");
      expect(run("python3", ["-c", asUser, join(mountPoint, "one"), "1001"]).stderr).toContain(
        "Permission denied",
      );
      const change = `
import os, sys
os.removexattr("one", "user.large")
os.setxattr("two", "user.middle", b"x" * 2000)
os.setxattr("three", "user.new", b"new")
os.remove("three")
open("four", "w").close()
os.setxattr("four", "user.large", bytes([9]) * 50000)
`;
      const changed = run("sh", ["-c", `cd "$1" && python3 -c "$2"`, "sh", mountPoint, change]);
      expect(changed.output).toBe("");
    });
    expectCleanExt4(image);
  });
});
