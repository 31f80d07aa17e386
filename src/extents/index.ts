export {
  byteCount,
  contentKind,
  extentsKind,
  readerKind,
  signalKind,
  sourceKind,
  targetKind,
} from "./arguments.ts";
export { type BlobLike, blobContent, isBlob } from "./blob.ts";
export {
  type Awaitable,
  type BytesContent,
  bytesContent,
  type Content,
  type ContentReader,
  contentBytes,
  contentStart,
  type FileContent,
  type FileStamp,
  type FunctionContent,
  type JoinedContent,
  joinedContent,
  type StoredRange,
} from "./content.ts";
export { type ByteRange, bytesExtent, type Extent, merged, shifted } from "./extent.ts";
export { type ByteKind, byteKinds, freeBeside, type KindRange } from "./kinds.ts";
export { type Progress, type ProgressListener, type ProgressMeter, progressMeter } from "./progress.ts";
export { united, without } from "./ranges.ts";
export { type CancelSignal, eventLoopTurn } from "./signal.ts";
export { signatureAreas } from "./signatures.ts";
export {
  type ByteSource,
  bytesSource,
  contentSource,
  readExactly,
  readInto,
  sourceContent,
  sourceWindow,
} from "./source.ts";
export { Sweep, type SweepOptions, type SweepWriter, sweep } from "./sweep.ts";
export { memoryTarget, sequentialTarget, type Target } from "./target.ts";
export { type ZeroingOptions, zeroingTarget } from "./zeroing-target.ts";
