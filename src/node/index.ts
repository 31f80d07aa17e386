export { type DirectoryOptions, directory } from "./directory.ts";
export { FileReader } from "./file-reader.ts";
export { type FileSource, fileSource } from "./file-source.ts";
export { type FileTargetOptions, fileTarget } from "./file-target.ts";
export type { XattrFilter, XattrOptions, XattrPolicy, XattrReader } from "./xattrs.ts";
