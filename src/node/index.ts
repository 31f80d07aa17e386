export { ARCHIVE_START, isArchive, tarArchive } from "./archive.ts";
export { hostPathKind } from "./arguments.ts";
export { assemble, assembleChecked } from "./assemble.ts";
export { type Compression, compressionOf } from "./compression.ts";
export { decompressed } from "./decompress.ts";
export { type DirectoryOptions, directory, entries } from "./directory.ts";
export { observeExitWork, undoAll, undoOnExit } from "./exit-work.ts";
export { FileReader } from "./file-reader.ts";
export { type FileSource, fileSource } from "./file-source.ts";
export { type FileTargetOptions, fileTarget, outputPlace, replaceFile } from "./file-target.ts";
export { isSystemError, reasonOf } from "./host-error.ts";
export { nativeHash } from "./native-hash.ts";
export { nativeUnpackers } from "./native-packing.ts";
export {
  aboutImage,
  fileCompression,
  type OpenedImage,
  type OpenImageOptions,
  openImage,
} from "./open-image.ts";
export { type PackerOptions, packers } from "./packers.ts";
export { rawFile } from "./raw-file.ts";
export { RawFileDisk } from "./raw-file-disk.ts";
export { spooledTarget } from "./spooled-target.ts";
export { type StageOptions, stage } from "./stage.ts";
export type { TarOptions, TarSource } from "./tar.ts";
export { writeAll } from "./write-all.ts";
export type { XattrFilter, XattrOptions, XattrPolicy, XattrReader } from "./xattrs.ts";
