import { guidToBytes, utf8 } from "../../src/bytes/index.ts";

/** How a made-up flash memory differs from an empty one of 64 KiB. */
export interface FlashShape {
  readonly format?: "authenticated" | "plain";
  /** Bytes of the store, its header among them. */
  readonly storeSize?: number;
  readonly volumeSize?: number;
}

const HEADER = 72;
const FORMATS = {
  authenticated: "aaf32c78-947b-439a-a180-2e144ec37792",
  plain: "ddcf3616-3275-4164-98b6-fe85707ffe7d",
};

/** Where the first record of {@link emptyFlash} lies. */
export const FIRST_RECORD: number = HEADER + 28;

/** An empty variable store in a firmware volume, made without the code that is tested; something lies behind it. */
export function emptyFlash(shape: FlashShape = {}): Uint8Array {
  const { format = "authenticated", volumeSize = 0x10000, storeSize = 0xe000 - HEADER } = shape;
  const flash = new Uint8Array(volumeSize).fill(0xff);
  const view = new DataView(flash.buffer);
  flash.fill(0, 0, HEADER + 28);
  flash.set(guidToBytes("fff12b8d-7696-4c8b-a985-2747075b4f50"), 16);
  view.setBigUint64(32, BigInt(volumeSize), true);
  flash.set(utf8("_FVH"), 40);
  view.setUint32(44, 0x4feff, true);
  view.setUint16(48, HEADER, true);
  flash[55] = 2;
  view.setUint32(56, volumeSize / 4096, true);
  view.setUint32(60, 4096, true);
  sealVolume(flash);
  flash.set(guidToBytes(FORMATS[format]), HEADER);
  view.setUint32(HEADER + 16, storeSize, true);
  flash.set([0x5a, 0xfe], HEADER + 20);
  flash.set(utf8("something else"), volumeSize - 100);
  return flash;
}

/** Makes the checksum of the volume's header right. */
export function sealVolume(flash: Uint8Array): void {
  const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength);
  view.setUint16(50, 0, true);
  let sum = 0;
  for (let at = 0; at < HEADER; at += 2) sum += view.getUint16(at, true);
  view.setUint16(50, -sum & 0xffff, true);
}

/** What a record says; the rest of it is what most have. */
export interface RecordShape {
  readonly name: string;
  readonly data: Uint8Array;
  readonly state?: number;
  readonly attributes?: number;
  readonly vendor?: string;
  /** The time of an authenticated write. */
  readonly time?: Uint8Array;
}

/** A record of an authenticated store. */
export function authenticatedRecord(shape: RecordShape): Uint8Array {
  const { name, data, state = 0x3f, attributes = 7, time = new Uint8Array(16) } = shape;
  const nameBytes = Buffer.from(`${name}\0`, "utf16le");
  const record = new Uint8Array(60 + nameBytes.length + data.length);
  const view = new DataView(record.buffer);
  view.setUint16(0, 0x55aa, true);
  record[2] = state;
  view.setUint32(4, attributes, true);
  record.set(time, 16);
  view.setUint32(36, nameBytes.length, true);
  view.setUint32(40, data.length, true);
  record.set(guidToBytes(shape.vendor ?? "8be4df61-93ca-11d2-aa0d-00e098032b8c"), 44);
  record.set(nameBytes, 60);
  record.set(data, 60 + nameBytes.length);
  return record;
}

/** Flash memory with records, one behind the other. */
export function flashWith(records: readonly Uint8Array[], shape: FlashShape = {}): Uint8Array {
  const flash = emptyFlash(shape);
  let at = FIRST_RECORD;
  for (const record of records) {
    flash.set(record, at);
    at += Math.ceil(record.length / 4) * 4;
  }
  return flash;
}
