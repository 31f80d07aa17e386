import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { DescribedFilesystem } from "../../src/image/index.ts";
import { diskwright } from "../support/cli.ts";
import { expectCleanExt4 } from "../support/judges.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";
import { acl } from "../support/xattrs.ts";

const scratch = scratchDirectory();
const tree = join(scratch, "tree");
const image = join(scratch, "out.img");

/** A capability as the kernel stores it: version 2, cap_net_raw, effective. */
const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");
const ACL = Buffer.from(acl([0x01, 6], [0x02, 4, 1000], [0x04, 4], [0x10, 4], [0x20, 0]));

const ATTRIBUTES: readonly (readonly [path: string, name: string, value: Buffer])[] = [
  ["ping", "security.capability", CAPABILITY],
  ["ping", "user.comment", Buffer.from("grüße")],
  ["shared", "system.posix_acl_access", ACL],
  ["shared", "user.long", Buffer.alloc(1500, 7)],
  ["shared", "trusted.overlay.opaque", Buffer.from("y")],
];

const SET = "import os,sys; os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))";
const GET = "import os,sys; print(os.getxattr(sys.argv[1], sys.argv[2]).hex())";

/** Makes the tree; false where the host cannot keep its attributes. */
function makeTree(): boolean {
  mkdirSync(join(tree, "shared"), { recursive: true });
  writeFileSync(join(tree, "ping"), "ping");
  chmodSync(join(tree, "ping"), 0o755);
  for (let index = 0; index < 300; index++)
    writeFileSync(join(tree, "shared", `file ${index}`), "x".repeat(index));
  return ATTRIBUTES.every(
    ([path, name, value]) =>
      spawnSync("python3", ["-c", SET, join(tree, path), name, value.toString("hex")]).status === 0,
  );
}

const hasAttributes = makeTree();

function mkfs(args: readonly string[]): DescribedFilesystem {
  const { status, stdout, stderr } = diskwright(["mkfs", "ext4", tree, "-o", image, "--json", ...args]);
  expect(stderr).toMatch(/^wrote /);
  expect(status).toBe(0);
  return JSON.parse(stdout) as DescribedFilesystem;
}

describeWith(["e2fsck", "dumpe2fs", "python3"], "mkfs ext4", () => {
  it.runIf(hasAttributes)(
    "keeps capabilities, access control lists and other attributes of a directory",
    () => {
      mkfs(["--additional-space", "8M"]);
      expectCleanExt4(image);
      withMount(image, "ro", (root) => {
        for (const [path, name, value] of ATTRIBUTES) {
          const { stdout, stderr } = spawnSync("python3", ["-c", GET, join(root, path), name], {
            encoding: "utf8",
          });
          expect([name, stdout.trim(), stderr]).toEqual([name, value.toString("hex"), ""]);
        }
      });
      const without = mkfs(["--xattrs", "none"]);
      expect(without.usage.extendedAttributes).toBe(0);
    },
  );

  it("takes features, types and all that tune2fs could set", () => {
    const description = mkfs([
      ...["--size", "200M", "--features", "orphan_file,metadata_csum_seed,^huge_file"],
      ...["--journal-size", "12M", "--grow-to", "3T", "--inode-size", "512", "--bytes-per-inode", "32K"],
      ...["--reserved", "2", "--reserved-for", "12:34", "--stride", "16", "--stripe-width", "64"],
      ...["--default-mount-options", "discard,nodelalloc", "--mount-options", "data=ordered"],
      ...[
        "--last-mounted",
        "/mnt/x",
        "--errors",
        "remount-ro",
        "--check-after",
        "30",
        "--check-interval",
        "7",
      ],
      ...["--hash-seed", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "--directory-hash", "tea"],
      ...["--name-characters", "unsigned", "--root-owner", "5:6", "--xattrs", "none"],
    ]);
    expectCleanExt4(image);
    const header = run("dumpe2fs", ["-h", image]).stdout;
    for (const line of [
      /features: .*orphan_file.*metadata_csum_seed/,
      /Total journal size: +12M/,
      /Reserved GDT blocks: +383/,
      /Inode size:\s+512/,
      /Inode count: +6[4-6]\d\d/,
      /Reserved block count: +1024/,
      /Reserved blocks uid: +12/,
      /Reserved blocks gid: +34/,
      /RAID stride: +16/,
      /RAID stripe width: +64/,
      /Default mount options: +discard nodelalloc/,
      /Mount options: +data=ordered/,
      /Last mounted on: +\/mnt\/x/,
      /Errors behavior: +Remount read-only/,
      /Maximum mount count: +30/,
      /Check interval: +604800/,
      /Directory Hash Seed: +aaaaaaaa-bbbb/,
      /Default directory hash: +tea/,
      /Filesystem flags: +unsigned_directory_hash/,
    ]) {
      expect(header).toMatch(line);
    }
    expect(header).not.toContain("huge_file");
    expect(Object.values(description.usage).reduce((sum, bytes) => sum + bytes)).toBe(description.size);
    expect(description.features).toContain("orphan_file");
  });

  it("makes ext2 and ext3, and the smallest that holds the tree", () => {
    for (const type of ["ext2", "ext3", "ext4"]) {
      const { size } = mkfs(["--type", type, "--size", "minimal", "--xattrs", "none"]);
      expectCleanExt4(image);
      const smaller = ["--type", type, "--size", String(size - 4096), "--xattrs", "none"];
      const { status, stderr } = diskwright(["mkfs", "ext4", tree, "-o", image, ...smaller]);
      expect(stderr).toMatch(/needs [\d,]+ bytes, 4,096 bytes more/);
      expect(status).toBe(3);
    }
  });

  it.each<[string[], RegExp]>([
    [["--features", "^extent"], /64bit needs extent/],
    [["--features", "bigalloc"], /bigalloc is not written/],
    [["--type", "ext5"], /Allowed choices are ext2, ext3, ext4/],
    [["--journal-size", "1M"], /a journal of 1048576 bytes: use 4 MiB/],
    [["--grow-to", "100T"], /the limit is/],
    [["--check-interval", "60000"], /Use up to 49710 days/],
    [["--size", "minimal", "--additional-space", "1M"], /--size minimal leaves no additional space/],
  ])("%j is refused with the reason", (args, message) => {
    const { status, stderr } = diskwright(["mkfs", "ext4", tree, "-o", image, ...args]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});
