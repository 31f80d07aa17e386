import * as v from "valibot";
import {
  field,
  flag,
  hostPath,
  idMap,
  list,
  mode,
  oneOf,
  oneOrMore,
  owner,
  target,
  text,
  treePath,
} from "./values.ts";

// What goes into the image, or into one partition of it.

const ownership = {
  user: field(text, "The owner: a name of the tree's own /etc/passwd, or a number."),
  group: field(text, "The group: a name of the tree's own /etc/group, or a number."),
} as const;

const idMaps = {
  owner: field(owner, "One owner and group for everything, `UID:GID`."),
  idMap: field(
    idMap,
    "Ids of users and groups that become others, `INSIDE:OUTSIDE:COUNT`: OUTSIDE in the source is INSIDE in the image.",
  ),
  uidMap: field(idMap, "The same for users only."),
  gidMap: field(idMap, "The same for groups only."),
} as const;

const SOURCE = 'a source: "DIRECTORY", "FILE.tar", "-", or one of them with ":/target" behind it';

const rootSource = v.strictObject(
  {
    source: v.pipe(
      hostPath,
      v.description("A directory, a tar (plain, gzip, zstd or xz), or `-` for a tar on standard input."),
    ),
    target: field(treePath, "Where it goes. Default `/`."),
    ...idMaps,
    exclude: field(oneOrMore("patterns"), "What of it is left out, by patterns of paths from its own root."),
  },
  SOURCE,
);

const rootText = v.pipe(v.string(SOURCE), v.regex(/^[^\0]+$/, SOURCE));
const root = v.union(
  [rootText, rootSource, v.array(v.union([rootText, rootSource], SOURCE), SOURCE)],
  SOURCE,
);

/** A rule of `contents`. */
export const contentsRule = v.strictObject(
  {
    source: v.pipe(
      hostPath,
      v.description(
        "A file; a directory, the contents of which go to the target; or a pattern with `*`, the matches of which go into the target.",
      ),
    ),
    target: v.pipe(target, v.description("Where it goes. A file goes into a target that ends in a slash.")),
    mode: field(
      mode,
      "The mode of everything that the rule copies, as rsync(1) takes it with `--chmod`; `D755,F644` tells directories from files.",
    ),
    user: field(
      text,
      "The owner of the target and of all below it: a name of the tree's own /etc/passwd, or a number. Needs `group`.",
    ),
    group: field(
      text,
      "The group of the target and of all below it: a name of the tree's own /etc/group, or a number. Needs `user`.",
    ),
    replace: field(flag, "Replaces what is at the target; a directory is merged."),
  },
  "a rule: { source, target, mode, user, group }",
);

const directoryRule = v.strictObject(
  { path: treePath, mode: field(mode, "Default 755."), ...ownership },
  "a path, or { path, mode, user, group }",
);

/** The fields of everything that has content of its own. */
export const sourceFields = {
  root: field(root, "The trees that go in, later ones over earlier ones: directories, or tars."),
  contents: field(
    list(contentsRule, "a list of rules"),
    "Files and directories of the host that go to places of the tree.",
  ),
  exclude: field(
    oneOrMore("patterns"),
    "What is left out of every source. A pattern without a slash is for names anywhere, one with a slash starts at the root.",
  ),
  directories: field(
    list(
      v.union([treePath, directoryRule], "a path, or { path, mode, user, group }"),
      "a list of directories",
    ),
    "Directories that are made.",
  ),
  symlinks: field(
    list(
      v.strictObject(
        { path: treePath, target: v.pipe(text, v.minLength(1, "what it points to")), ...ownership },
        "{ path, target }",
      ),
      "a list of symlinks",
    ),
    "Symlinks that are made.",
  ),
  files: field(
    list(
      v.strictObject(
        { path: treePath, text, mode: field(mode, "Default 644."), ...ownership },
        "{ path, text, mode, user, group }",
      ),
      "a list of files",
    ),
    "Files that are made of text.",
  ),
  storePaths: field(
    oneOrMore("a file that lists paths, or a list of paths"),
    "Paths of the host, such as those of a Nix closure, that go to the same paths: a file that lists them one a line, or a list.",
  ),
  onlyNixStore: field(flag, "Puts the store paths at the root of the filesystem, without /nix/store."),
  manifest: field(
    oneOrMore("the path of a manifest, or several"),
    "Manifests in mtree(5) form that set types, modes, owners, times, devices and capabilities by path or pattern.",
  ),
  ...idMaps,
  xattrs: field(
    oneOf("none", "portable", "all"),
    "Extended attributes to keep. Default portable: all but the host's own, such as SELinux labels.",
  ),
  holes: field(
    oneOf("keep", "detect"),
    "Whether blocks of zeros become holes in every file of a tar, or only where the source has holes. Default keep.",
  ),
  hardLinks: field(
    oneOf("keep", "split"),
    "`split` makes each name of a file a file of its own; `keep` (default) keeps hard links.",
  ),
  links: field(
    oneOf("refuse", "split"),
    "A file with more than 65,000 hard links, the limit of ext4, is refused (default), or stored as several files with the same content.",
  ),
} as const;

const sources = v.object(sourceFields);
export type SourcesSpec = v.InferOutput<typeof sources>;
export type ContentsRuleSpec = v.InferOutput<typeof contentsRule>;
