export { base64Bytes } from "./base64.ts";
export { crc16Register, crc32, crc32c, crc32cRegister, crc32Joiner } from "./checksum.ts";
export { guidFromBytes, guidToBytes, NIL_GUID, parseGuid, uuidFromBytes, uuidToBytes } from "./guid.ts";
export { type Identity, identity } from "./identity.ts";
export { appendAll, largestOf, smallestOf } from "./list.ts";
export { Murmur128 } from "./murmur.ts";
export {
  array,
  bytes,
  type Field,
  guid,
  type RecordType,
  type RecordValue,
  type Reserved,
  record,
  reserved,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  uuid,
} from "./record.ts";
export { formatBytes, formatSize, GIB, KIB, MIB, parseSize, roundDown, roundUp, TIB } from "./size.ts";
export {
  byteKey,
  codeUnitText,
  compareBytes,
  escapedJson,
  hex,
  printable,
  printableLines,
  printableText,
  utf8,
  utf8Text,
} from "./text.ts";
export { parseTime } from "./time.ts";
