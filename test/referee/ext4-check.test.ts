import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { openExt4 } from "../../src/ext4/index.ts";
import { ext4Tree } from "../../src/harvest/index.ts";
import { inspect } from "../../src/inspect/index.ts";
import { fileSource } from "../../src/node/index.ts";
import { withMount } from "../support/mount.ts";
import { describeWith, run, scratchDirectory } from "../support/referee.ts";

const scratch = scratchDirectory();
const uuid = "5b6c7d8e-9fa0-41b2-83c4-d5e6f7081920";

/** Makes a filesystem of 16 MiB out of a directory. */
function made(name: string, flags: readonly string[], source: string): string {
  const path = join(scratch, name);
  rmSync(path, { force: true });
  const { status, output } = run("mke2fs", [
    ...["-q", "-F", "-U", uuid, "-b", "1024", "-E", "hash_seed=5b6c7d8e-9fa0-41b2-83c4-d5e6f7081921"],
    ...[...flags, "-d", source, path, "16M"],
  ]);
  expect(status, output).toBe(0);
  return path;
}

async function problemsOf(path: string): Promise<readonly string[]> {
  const source = fileSource(path);
  try {
    return await (await openExt4(source))!.check();
  } finally {
    source.close();
  }
}

/** What a walk finds without a check of the whole. */
async function problemsOfWalk(path: string): Promise<readonly string[]> {
  const source = fileSource(path);
  try {
    const volume = (await openExt4(source))!;
    for await (const _ of volume.entries());
    return volume.problems;
  } finally {
    source.close();
  }
}

/** Fields are set by debugfs, which keeps checksums right: nothing but the field is wrong. */
const EVERYWHERE: readonly (readonly [commands: string, problem: RegExp, isSeenByWalk?: "walk"])[] = [
  ["sif /large size 100", /has the size 100, but content up to block \d+/, "walk"],
  ["sif /large dtime 1234567", /is in use, but has a time of deletion/, "walk"],
  ["sif /large blocks 2", /counts 2 sectors, but has \d+/, "walk"],
  ["sif /large links_count 5", /counts 5 links, but 1 lead to it/],
  ["sif /large mode 0010644", /is a fifo, and has \d+ bytes/, "walk"],
  ["sif /large mode 0040755", /./],
  ["sif /large file_acl 5", /extended attributes/],
  ["sif /large flags 0x1000", /has an index of names, but is no directory/, "walk"],
  ["sif /fast size 3", /is a symlink of size 3, which is not where its target ends/, "walk"],
  ["sif /directory links_count 9", /counts 9 links, but 3 lead to it/],
  ["sif /directory size 5000", /is a directory of 1 blocks, but has the size 5000/, "walk"],
  ["unlink /large", /is in use, but no name leads to it/],
  ["ln /large /directory/second", /counts 1 links, but 2 lead to it/],
  ["ln /directory /again", /which has another name/],
  ["clri /large", /leads to inode \d+, which is not in use/],
  ["freei /large", /the inode bitmap of group 0 calls 1 free that are in use/],
  ["seti <500>", /the inode bitmap of group 0 calls 1 in use that are free/],
  ["freeb 100 3", /the block bitmap of group 0 calls 3 free that are in use/],
  ["setb 8100 1", /the block bitmap of group 0 calls 1 in use that are free/],
  ["ssv free_blocks_count 5", /the superblock says that 5 blocks are free/],
  ["ssv free_inodes_count 5", /the superblock says that 5 inodes are free/],
  ["ssv r_blocks_count 16000", /it reserves 16000 of 16384 blocks/],
  ["ssv first_ino 5", /its first inode for files is 5/],
  ["set_bg 0 free_blocks_count 7", /group 0: it says that 7 blocks are free/],
  ["set_bg 0 free_inodes_count 7", /group 0: it says that 7 inodes are free/],
  ["set_bg 0 used_dirs_count 99", /group 0: it says that it has 99 directories/],
  ["sif <7> block[DIND] 0", /resize inode/],
  ["sif <2> links_count 9", /inode 2 counts 9 links, but \d lead to it/],
  ["sif /directory/below dtime 77\nsif /large dtime 77", /is in use, but has a time of deletion/, "walk"],
];

const WITH_POINTERS = [
  ["sif /large block[0] 5", /has block 5, which something else has, too/],
  ["sif /large block[1] 4000000", /names blocks 4000000 to/],
  ["sif /large block[IND] 3", /./],
  ["sif /directory block[0] 0", /is a directory of 0 blocks|lack/],
] as const;

const WITH_JOURNAL = [
  ["sif <8> mode 0040755", /journal/],
  ["sif <8> size 2048", /journal/],
  ["ssv journal_inum 13", /journal/],
] as const;

const CASES = {
  ext2: [...EVERYWHERE, ...WITH_POINTERS],
  ext3: [...EVERYWHERE, ...WITH_POINTERS, ...WITH_JOURNAL],
  ext4: [...EVERYWHERE, ...WITH_JOURNAL],
} as const;

describeWith(["mke2fs", "debugfs", "e2fsck"], "what e2fsck complains of", () => {
  const source = join(scratch, "source");

  beforeAll(() => {
    mkdirSync(join(source, "directory", "below"), { recursive: true });
    mkdirSync(join(source, "many"));
    writeFileSync(join(source, "large"), "large".repeat(10_000));
    writeFileSync(join(source, "directory", "small"), "small");
    symlinkSync("directory/small", join(source, "fast"));
    for (let index = 0; index < 200; index++) writeFileSync(join(source, "many", `a name ${index}`), "");
  });

  it.each(Object.keys(CASES) as (keyof typeof CASES)[])("is a problem to us, too: %s", async (type) => {
    const original = made(`${type}.img`, ["-t", type], source);
    expect(run("e2fsck", ["-fn", original]).status).toBe(0);
    expect(await problemsOf(original)).toEqual([]);
    const path = join(scratch, "damaged.img");
    for (const [commands, problem, walk] of CASES[type] as typeof EVERYWHERE) {
      copyFileSync(original, path);
      run("debugfs", ["-w", "-f", "-", path], `${commands}\n`);
      // Of some things it complains, and exits 0.
      const { output } = run("e2fsck", ["-fn", path]);
      expect.soft(output, commands).toMatch(/\? no$|is corrupt/m);
      const problems = await problemsOf(path);
      expect.soft(problems.join("\n"), commands).toMatch(problem);
      if (walk === "walk") expect.soft((await problemsOfWalk(path)).join("\n"), commands).toMatch(problem);
      const disk = fileSource(path);
      await expect(ext4Tree((await openExt4(disk))!), commands).rejects.toMatchObject({
        code: "CORRUPT",
        problems,
      });
      const { table } = await inspect(disk);
      expect(table.partitions[0]!.filesystem!.problems, commands).toEqual(problems);
      disk.close();
    }
  });

  it.each<[string]>([
    ["ext2"],
    ["ext4"],
    ["ext4 -O ^metadata_csum,uninit_bg"],
    ["ext4 -O inline_data,ea_inode"],
  ])("is nothing after a kernel has worked in it: %s", async (flags) => {
    const path = made("worked.img", ["-t", ...flags.split(" ")], source);
    withMount(path, "rw", (mountPoint) => {
      const script = `
          cd "$1" && mkdir new && for i in $(seq 400); do : > "new/file number $i"; done
          for i in $(seq 1 3 400); do rm "new/file number $i"; done
          mv directory new/moved && ln large linked && rm fast && ln -s "$(printf 'x%.0s' $(seq 200))" slow
          truncate -s 3M sparse && printf end >> sparse && fallocate -n -l 40000 large
          fallocate -p -o 4096 -l 8192 large; mknod device c 259 70000; mkfifo fifo; rm -r many`;
      const { status, output } = run("sh", ["-c", script, "sh", mountPoint]);
      expect(status, output).toBe(0);
    });
    expect(run("e2fsck", ["-fn", path]).status).toBe(0);
    expect(await problemsOf(path)).toEqual([]);
  });
});
