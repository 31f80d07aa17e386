export { freeRanges } from "./free.ts";
export { type InspectOptions, inspect } from "./inspect.ts";
export {
  attributeReport,
  type ContainerReport,
  type FilesystemReport,
  type ImageReport,
  mbrTypeReport,
  type PartitionReport,
  signatureReport,
  type TableReport,
} from "./report.ts";
