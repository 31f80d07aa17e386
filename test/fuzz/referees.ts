import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Kind } from "./corpus.ts";

/** What the usual tool for an input says is wrong with it; nothing when it finds it sound, or is not there. */
export function refereeComplaint(kind: Kind, bytes: Uint8Array, scratch: string): string | undefined {
  const judge = JUDGES[kind];
  if (judge === undefined) return undefined;
  writeFileSync(scratch, bytes);
  return judge(scratch, bytes);
}

type Judge = (path: string, bytes: Uint8Array) => string | undefined;

const JUDGES: Partial<Readonly<Record<Kind, Judge>>> = {
  ext4(path) {
    // What it says of times depends on the clock: here it is that of the seeds.
    const said = run("e2fsck", ["-fn", path], { E2FSCK_TIME: "1700000000" });
    // Times before 1970 are sound; it only doubts them.
    const judged = said?.replace(/^Timestamp\(s\) on inode .*\nFix\? no$/gm, "");
    return judged?.split("\n").find((line) => /\? no$|\. {2}(IGNORED|CLEARED)\.|is corrupt$/.test(line));
  },
  fat(path) {
    const said = run("fsck.fat", ["-n", path]);
    const lines = said?.split("\n") ?? [];
    const complaints = lines.filter(
      (line) => line !== "" && !/^fsck\.fat \d/.test(line) && !/: \d+ files, \d+\/\d+ clusters$/.test(line),
    );
    // The first line may only name a file; what is wrong with it comes indented.
    const first = complaints.find((line) => /^\s/.test(line)) ?? complaints[0];
    return first?.trim();
  },
  disk(path, bytes) {
    const isQcow2 = bytes[0] === 0x51 && bytes[1] === 0x46 && bytes[2] === 0x49;
    if (!isQcow2) return undefined;
    const said = run("qemu-img", ["check", "-f", "qcow2", path]);
    // Times before 1970 are sound; it only doubts them.
    const judged = said?.replace(/^Timestamp\(s\) on inode .*\nFix\? no$/gm, "");
    return judged?.split("\n").find((line) => /^(ERROR|qemu-img:)/.test(line));
  },
};

function run(
  program: string,
  args: readonly string[],
  more: Record<string, string> = {},
): string | undefined {
  const env = { ...process.env, LC_ALL: "C", PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...more };
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env, timeout: 30_000 });
  return error === undefined ? `${stdout}${stderr}` : undefined;
}
