export { assemble } from "./assemble.ts";
export { type DirectoryOptions, directory, entry } from "./directory.ts";
export { FileReader } from "./file-reader.ts";
export { type FileSource, fileSource } from "./file-source.ts";
export { type FileTargetOptions, fileTarget } from "./file-target.ts";
export { rawFile } from "./raw-file.ts";
export { type StageOptions, stage } from "./stage.ts";
export { type TarOptions, type TarSource, tarArchive } from "./tar.ts";
export type { XattrFilter, XattrOptions, XattrPolicy, XattrReader } from "./xattrs.ts";
