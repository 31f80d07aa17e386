export { Composition } from "./composition.ts";
export { type LayerOptions, layLayer } from "./lay-layer.ts";
export { Layer } from "./layer.ts";
export type {
  ContentsRule,
  DirectoryRule,
  FileRule,
  Ownership,
  RootSource,
  Sources,
  SymlinkRule,
} from "./sources.ts";
