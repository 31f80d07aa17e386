import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { ContentsRule } from "../../src/compose/index.ts";
import { directory, stage } from "../../src/node/index.ts";
import type { Tree } from "../../src/tree/index.ts";
import { IS_ROOT } from "../support/host-tree.ts";
import { describeWith, scratchDirectory } from "../support/referee.ts";
import { treeSnapshot } from "../support/tree-snapshot.ts";

// The rules of make-disk-image.nix: it copies the sources with rsync into an empty directory, lays the system over that,
// and has chown(1) give each target its owner when everything is in place.

const scratch = scratchDirectory();
const source = join(scratch, "source");
const base = join(scratch, "base");

beforeAll(() => {
  const files: Readonly<Record<string, string>> = {
    "program/bin/start": "start",
    "program/lib/plugins/one": "1",
    "program/lib/plugins/two": "2",
    "program/readme": "read",
    "settings/10-net.conf": "net",
    "settings/20-disk.conf": "disk",
    "settings/.hidden.conf": "hidden",
    "settings/extra.d/30.conf": "30",
    "other/bin": "a file where the program has a directory",
    "other/readme": "another",
    "other/lib/plugins/two": "other",
    "other-side/readme": "sorted before other/",
    note: "note",
    "wei rd/[id].txt": "brackets",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(source, path, ".."), { recursive: true });
    writeFileSync(join(source, path), text);
  }
  mkdirSync(join(source, "settings/empty"));
  symlinkSync("note", join(source, "note-link"));
  symlinkSync("program", join(source, "program-link"));
  symlinkSync("/nowhere", join(source, "settings/away.conf"));
  mkdirSync(join(base, "etc"), { recursive: true });
  mkdirSync(join(base, "srv/data"), { recursive: true });
  writeFileSync(join(base, "etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n");
  writeFileSync(join(base, "etc/group"), "root:x:0:\nweb:x:44:\n");
  writeFileSync(join(base, "srv/data/kept"), "kept");
  const script = [
    'mkfifo "$1/program/queue"',
    'chmod 2750 "$1/program/lib" && chmod 600 "$1/settings/10-net.conf" && chmod 4711 "$1/program/bin/start"',
    'find "$1" "$2" -exec touch -h -d @1600000000 {} +',
    'chown -Rh 4321:1234 "$1" && chown -R 0:0 "$2" && chmod 4711 "$1/program/bin/start"',
  ].join("\n");
  spawnSync("sh", ["-c", `umask 022; ${script}`, "sh", source, base]);
});

/** One rule by the commands of make-disk-image.nix; a pattern is left to the shell. */
const COPY = `
set -eu
export LC_ALL=C
umask 022
root=$1 source=$2 target=$3 mode=$4
case $mode in '') options= ;; *) options=--chmod=$mode ;; esac
copy() { rsync -a --no-o --no-g $options "$@" 2>/dev/null; }
case $source in
*'*'*)
  mkdir -p "$root/$target"
  IFS=
  for match in $source; do copy "$match" "$root/$target/"; done ;;
*)
  mkdir -p "$root/$(dirname "$target")"
  if [ -e "$root/$target" ]; then exit 1
  elif [ -d "$source" ]; then copy "$source/" "$root/$target"
  else copy "$source" "$root/$target"; fi ;;
esac`;

/** Ids of the base by name: chown(1) of this host does not know them. */
const idOf = (name: string, ids: Readonly<Record<string, string>>): string => ids[name] ?? name;

/** The tree that make-disk-image.nix has for rules; nothing when one of its commands fails. */
async function original(rules: readonly ContentsRule[]): Promise<Tree | undefined> {
  const root = join(scratch, "root");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  const done = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
  for (const rule of rules) {
    if (!done("bash", "-c", COPY, "bash", root, rule.source, rule.target, rule.mode ?? "")) return undefined;
  }
  // All of it is root's in the end; changing that by chown(1) would take setuid bits away.
  if (!done("cp", "-a", `${base}/.`, root)) return undefined;
  for (const { user, group, target } of rules) {
    if (user === undefined || group === undefined) continue;
    const owner = `${idOf(user, { web: "33" })}:${idOf(group, { web: "44" })}`;
    if (!done("chown", "-R", owner, `${root}/${target}`)) return undefined;
  }
  return await directory(root);
}

async function ours(rules: readonly ContentsRule[]): Promise<Tree | undefined> {
  try {
    return await stage({ root: [{ source: base }], contents: rules });
  } catch (error) {
    if (!/exists already|is a directory with entries|matches nothing|lie below it/.test(String(error)))
      throw error;
    return undefined;
  }
}

/** Directories that cp(1) gives the modes of the base, but not the programs that install a system. */
const BASE_DIRECTORIES = new Set(["/", "/etc", "/srv", "/srv/data"]);

/** What counts of a tree: all but the times of directories, which programs set while they work. */
async function seen(tree: Tree | undefined): Promise<unknown> {
  if (tree === undefined) return "refused";
  const entries = await treeSnapshot(tree);
  return Object.fromEntries(
    [...entries].map(([path, entry]) => {
      const { mtime, mode, ...rest } = entry as { mtime: bigint; mode: number; type: string };
      if (rest.type !== "directory") return [path, { ...rest, mode, mtime }];
      return [path, BASE_DIRECTORIES.has(path) ? rest : { ...rest, mode }];
    }),
  );
}

/** `source -> target mode user:group`, the last two where they are given. */
function rule(text: string): ContentsRule {
  const [from = "", to = ""] = text.split(" -> ");
  const [target = "", ...rest] = to.split(" ");
  const owner = rest.find((word) => word.includes(":"))?.split(":");
  const mode = rest.find((word) => !word.includes(":"));
  return {
    source: join(source, from) + (from.endsWith("/") && !join(source, from).endsWith("/") ? "/" : ""),
    target,
    ...(mode && { mode }),
    ...(owner && { user: owner[0], group: owner[1] }),
  };
}

const isPossible = IS_ROOT;

describeWith(["rsync", "bash", "cp", "chown"], "rules of contents give the tree of rsync and chown", () => {
  it.runIf(isPossible).each<[string, ...string[]]>([
    ["a file", "note -> /etc/motd"],
    ["a file into a directory that is made", "note -> /var/lib/box/"],
    ["a file into a directory of the base", "note -> /srv/data/"],
    ["a file into a directory of rules", "note -> /var/one", "note -> /var/"],
    ["a target without a slash in front", "note -> etc/motd 640 web:web"],
    ["links", "note-link -> /a", "program-link -> /b", "settings/away.conf -> /c"],
    ["a directory", "program -> /opt/program"],
    ["a directory with slashes behind", "program/ -> /opt/program/"],
    ["a directory over one of the base", "settings -> /srv/data 0750 web:web"],
    ["a directory over one of the rules", "note -> /opt/program/note", "program -> /opt/program"],
    ["the root itself", "program -> /"],
    ["something in a directory of rules", "program/lib -> /opt/lib 5:6", "note -> /opt/lib/note"],
    ["the same target twice", "note -> /opt/x", "program -> /opt/x"],
    ["a pattern", "settings/*.conf -> /etc/settings"],
    ["a pattern for all", "settings/* -> /etc/settings"],
    ["a pattern into a directory of the base", "settings/* -> /srv/data 33:44"],
    ["a pattern into the root", "settings/extra* -> / D700,F600"],
    ["a pattern for what is in directories", "other*/ -> /opt"],
    ["a pattern with a name behind", "*/readme -> /doc"],
    ["a pattern with nothing to match", "*/nothing -> /doc"],
    [
      "patterns that merge",
      "program/l* -> /opt",
      "other/l* -> /opt",
      "other/r* -> /opt",
      "program/r* -> /opt",
    ],
    ["a file where a pattern's file goes", "note -> /opt/readme", "other/r* -> /opt"],
    ["a directory in place of a file", "other/b* -> /opt", "program/b* -> /opt"],
    [
      "a file in place of an empty directory",
      "settings/e* -> /opt",
      "note -> /opt/empty/x",
      "other/b* -> /opt",
    ],
    ["a file in place of a full directory", "program/* -> /opt", "other/b* -> /opt"],
    ["a pattern into a file", "note -> /opt", "settings/* -> /opt"],
    [
      "modes",
      "program -> /a u=rwX,go=rX",
      "program -> /b Dg+s,F-x",
      "program -> /c a-s",
      "program -> /d 755",
    ],
    ["owners in order", "program/lib -> /opt/a 1:2", "note -> /opt/a/note 3:4", "settings/* -> /opt 5:6"],
    [
      "owners in the other order",
      "settings/* -> /opt 5:6",
      "program/lib -> /opt/a 1:2",
      "note -> /opt/a/n 3:4",
    ],
    ["the owner of a link", "note-link -> /a 1:2", "settings/a* -> /b web:web"],
    ["the owner of everything", "settings/* -> / 1:2"],
  ])("%s", async (_, ...texts) => {
    const rules = texts.map(rule);
    expect(await seen(await ours(rules))).toEqual(await seen(await original(rules)));
  });

  it.runIf(isPossible)("whatever the rules are", async () => {
    const anyRule = fc
      .record({
        from: fc.constantFrom(
          ...["note", "program", "program/lib", "settings", "other", "settings/*", "program/*", "other/*"],
          ...["program/l*", "*/readme", "other*/", "settings/*.conf", "note-link"],
        ),
        to: fc.constantFrom(
          "/opt",
          "/opt/",
          "/opt/a",
          "opt/a/b",
          "/srv/data",
          "/srv",
          "/etc/conf.d",
          "/opt/readme",
        ),
        mode: fc.constantFrom("", "", " D755,F644", " u=rwX,go=", " a+X,u-s"),
        owner: fc.constantFrom("", "", " 1:2", " web:web"),
      })
      // The kernel takes setuid bits from what gets another owner.
      .map(({ from, to, mode, owner }) => rule(`${from} -> ${to}${mode}${owner}`))
      .map((made) => (made.user === undefined ? made : { ...made, mode: `u-s,${made.mode ?? "u+r"}` }));
    await fc.assert(
      fc.asyncProperty(fc.array(anyRule, { minLength: 1, maxLength: 4 }), async (rules) => {
        const isOwned = rules.some(({ user }) => user !== undefined);
        const tried = isOwned ? rules.map((one) => ({ ...one, mode: `${one.mode ?? "u+r"},u-s` })) : rules;
        expect(await seen(await ours(tried))).toEqual(await seen(await original(tried)));
      }),
      { numRuns: 20 },
    );
  });
});

describe("rules of contents", () => {
  it("have user and group or neither", async () => {
    for (const owner of [{ user: "1" }, { group: "1" }]) {
      const made = stage({ contents: [{ source: join(source, "note"), target: "/x", ...owner }] });
      await expect(made).rejects.toThrow(/contents\[0\] .*(user needs group|group needs user) beside it/);
    }
  });

  it("take names with brackets as they are, and patterns with an asterisk always as patterns", async () => {
    writeFileSync(join(source, "wei rd/*"), "an asterisk");
    const contents = [
      { source: join(source, "wei rd/[id].txt"), target: "/one" },
      { source: join(source, "wei rd/*"), target: "/all" },
    ];
    const tree = await stage({ contents });
    expect([...(await treeSnapshot(tree)).keys()]).toEqual(["/", "/all", "/one", "/all/*", "/all/[id].txt"]);
    rmSync(join(source, "wei rd/*"));
  });

  it("do not replace what a root has, unless they say so", async () => {
    const contents = { source: join(source, "program"), target: "/srv" };
    mkdirSync(join(scratch, "full/srv/bin"), { recursive: true });
    writeFileSync(join(scratch, "full/srv/readme"), "of the root");
    const root = [{ source: join(scratch, "full") }];
    await expect(stage({ root, contents: [contents] })).rejects.toThrow(
      /\/srv\/readme exists already, from root .*full: leave one of them out, or say replace/,
    );
    const tree = await stage({ root, contents: [{ ...contents, replace: true }] });
    expect(tree.entry(tree.find("/srv/readme")!).content).toMatchObject({ size: 4 });
  });
});
