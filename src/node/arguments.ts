import {
  either,
  fields,
  flag,
  kindOf,
  list,
  number,
  oneOf,
  optional,
  type Required,
  routine,
  text,
  withMethods,
} from "../arguments/index.ts";
import type {
  ContentsRule,
  DirectoryRule,
  FileRule,
  RootSource,
  Sources,
  SymlinkRule,
} from "../compose/index.ts";
import { signalKind } from "../extents/index.ts";
import { READABLE_FORMATS } from "../formats/index.ts";
import type { DirectoryOptions } from "./directory.ts";
import type { FileTargetOptions } from "./file-target.ts";
import type { OpenImageOptions } from "./open-image.ts";
import type { PackerOptions } from "./packers.ts";
import type { StageOptions } from "./stage.ts";
import type { TarOptions, TarSource } from "./tar.ts";

// What the types of this room look like at run time.

/** The path of a file of the host. An empty one would be the working directory. */
export const hostPathKind: Required = kindOf(
  "the path of a file as text, not empty and without a NUL",
  (value) => typeof value === "string" && value !== "" && !value.includes("\0"),
);

const signal = optional(signalKind);
const callback = optional(routine);

export const fileTargetKind: Required = fields<FileTargetOptions>("the options of fileTarget", {
  force: optional(flag),
  signal,
  sync: optional(flag),
  onWarning: callback,
});

const xattrs = optional(either(oneOf("none", "portable", "all"), routine));

export const directoryOptionsKind: Required = fields<DirectoryOptions>(
  "the options of directory",
  {
    exclude: callback,
    signal,
    onProgress: callback,
    onWarning: callback,
    onNote: callback,
    xattrs,
    xattrReader: optional(withMethods("a reader of attributes", "listAttributesSync", "getAttributeSync")),
  },
  // What reads directories and archives alike hands on the options of both.
  { isOpen: true },
);

export const tarOptionsKind: Required = fields<TarOptions>(
  "the options of tarArchive",
  {
    exclude: callback,
    signal,
    onProgress: callback,
    onWarning: callback,
    xattrs,
    spoolDirectory: optional(hostPathKind),
    holes: optional(oneOf("keep", "detect")),
  },
  { isOpen: true },
);

export const tarSourceKind: Required = either(
  hostPathKind,
  fields<Exclude<TarSource, string>>("an open file: { descriptor, name }", {
    descriptor: number,
    name: text,
  }),
);

export const openImageKind: Required = fields<OpenImageOptions>("the options of openImage", {
  format: optional(oneOf(...READABLE_FORMATS)),
  onProgress: callback,
  isBackingAllowed: optional(flag),
  spoolDirectory: optional(hostPathKind),
  signal,
});

export const packerOptionsKind: Required = fields<PackerOptions>("the options of packers", {
  workers: optional(number),
  isPortable: optional(flag),
});

export const stageOptionsKind: Required = fields<StageOptions>("the options of stage", {
  base: optional(hostPathKind),
  time: optional(number),
  spoolDirectory: optional(hostPathKind),
  outputs: optional(list(text)),
  onLeftOut: callback,
  signal,
  onWarning: callback,
  onNote: callback,
  hasOwners: optional(flag),
  onProgress: callback,
});

const texts = optional(list(text, "an array of text"));
const owner = { user: optional(text), group: optional(text) } as const;
const ownership = { mode: optional(text), ...owner } as const;
const ids = { owner: optional(text), idMap: texts, uidMap: texts, gidMap: texts } as const;

const root = fields<RootSource>("a root source", {
  source: text,
  target: optional(text),
  exclude: texts,
  ...ids,
});

const contents = fields<ContentsRule>("a rule of contents", {
  source: text,
  target: text,
  replace: optional(flag),
  ...ownership,
});

export const sourcesKind: Required = fields<Sources>("sources", {
  root: optional(list(root, "an array of root sources: { source, target }")),
  storePaths: optional(either(text, list(text, "an array of text"))),
  onlyNixStore: optional(flag),
  contents: optional(list(contents, "an array of rules")),
  directories: optional(
    list(
      either(text, fields<DirectoryRule>("a directory", { path: text, ...ownership })),
      "an array of directories",
    ),
  ),
  symlinks: optional(
    list(fields<SymlinkRule>("a symlink", { path: text, target: text, ...owner }), "an array of symlinks"),
  ),
  files: optional(list(fields<FileRule>("a file", { path: text, text, ...ownership }), "an array of files")),
  manifest: texts,
  exclude: texts,
  ...ids,
  xattrs: optional(oneOf("none", "portable", "all")),
  holes: optional(oneOf("keep", "detect")),
  hardLinks: optional(oneOf("keep", "split")),
  links: optional(oneOf("refuse", "split")),
});
