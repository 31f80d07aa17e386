export { Composition } from "./composition.ts";
export type {
  ContentsRule,
  DirectoryRule,
  FileRule,
  Ownership,
  RootSource,
  Sources,
  SymlinkRule,
} from "./sources.ts";
