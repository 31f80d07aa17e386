// What goes into a tree, as its maker describes it: the same fields in a spec file, a partition, and flags.

/** A directory or archive that is laid into the tree. */
export interface RootSource {
  /** A directory, a tar, or `-` for a tar on standard input. */
  readonly source: string;
  /** Where it goes. Default `/`. */
  readonly target?: string | undefined;
  /** One owner and group, `UID:GID`, for all of it. Default: those that the source has. */
  readonly owner?: string | undefined;
  /** Ranges `INSIDE:OUTSIDE:COUNT`: id OUTSIDE of the source is INSIDE in the tree. For users and groups. */
  readonly idMap?: readonly string[] | undefined;
  readonly uidMap?: readonly string[] | undefined;
  readonly gidMap?: readonly string[] | undefined;
  /** What of it is left out, by paths from its own root. */
  readonly exclude?: readonly string[] | undefined;
}

/** Who something belongs to, and its mode. Names are those of the tree's own accounts. */
export interface Ownership {
  /** Octal or symbolic, as chmod(1) takes it. */
  readonly mode?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
}

/** A rule of `contents`, as make-disk-image.nix has them. It has both user and group, or neither. */
export interface ContentsRule extends Ownership {
  /**
   * A file; a directory, the contents of which go to the target; or a pattern, the matches of which go into the target.
   * A path with `*` is a pattern, one with `?` or `[` is one unless a file has just that name.
   */
  readonly source: string;
  /** A path from the root of the tree, with or without a slash in front. A file goes into one that ends in a slash. */
  readonly target: string;
  /** Whether what is there already is replaced. */
  readonly replace?: boolean | undefined;
}

/** A directory that is made. */
export interface DirectoryRule extends Ownership {
  readonly path: string;
}

/** A symlink that is made. */
export interface SymlinkRule extends Omit<Ownership, "mode"> {
  readonly path: string;
  readonly target: string;
}

/** A file that is made from text. */
export interface FileRule extends Ownership {
  readonly path: string;
  readonly text: string;
}

/** What goes into a tree. Later parts come over earlier ones, in the order of these fields. */
export interface Sources {
  readonly root?: readonly RootSource[] | undefined;
  /** Paths of the host that are placed at the same path, or a file that lists them, one a line. */
  readonly storePaths?: string | readonly string[] | undefined;
  /** Places the store paths at the root of the tree, without the directory that they lie in. */
  readonly onlyNixStore?: boolean | undefined;
  readonly contents?: readonly ContentsRule[] | undefined;
  readonly directories?: readonly (string | DirectoryRule)[] | undefined;
  readonly symlinks?: readonly SymlinkRule[] | undefined;
  readonly files?: readonly FileRule[] | undefined;
  /** Files in mtree(5) form that set modes, owners, types and more. */
  readonly manifest?: readonly string[] | undefined;
  /** Patterns of paths that are left out of every source. */
  readonly exclude?: readonly string[] | undefined;
  /** For every root source that says nothing of its own. */
  readonly owner?: string | undefined;
  readonly idMap?: readonly string[] | undefined;
  readonly uidMap?: readonly string[] | undefined;
  readonly gidMap?: readonly string[] | undefined;
  readonly xattrs?: "none" | "portable" | "all" | undefined;
  /** Whether blocks of zeros become holes in every file, or only where the source has them. */
  readonly holes?: "keep" | "detect" | undefined;
  /** `split`: each name of a file is a file of its own, as in an archive that knows no hard links. Default `keep`. */
  readonly hardLinks?: "keep" | "split" | undefined;
  /**
   * What becomes of a file with more than 65,000 names, the limit of ext4: an error when the filesystem is planned
   * (default), or further files with the same content for the names above each limit.
   */
  readonly links?: "refuse" | "split" | undefined;
}
