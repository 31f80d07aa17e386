import { compareBytes, guidFromBytes, guidToBytes } from "../../bytes/index.ts";
import { DiskwrightError } from "../../errors.ts";
import {
  DEVICE_PATH_TYPES,
  devicePathHeader,
  END_OF_DEVICE_PATH,
  HARD_DRIVE_SIGNATURES,
  HARD_DRIVE_TABLES,
  hardDriveNode,
  MEDIA_SUBTYPES,
} from "./structures.ts";
import { terminatedUtf16Bytes, terminatedUtf16Text } from "./utf16.ts";

// Device paths: how firmware names what it starts (UEFI 2.10 §10.3). A path that begins with a partition is the
// short form of one that begins with the bus: firmware looks for the partition on all disks (§3.1.2).

/** Where a partition lies, in sectors of its disk. */
interface PartitionPlace {
  /** Its number in the table, from 1. */
  readonly number: number;
  readonly firstLba: number;
  readonly sectors: number;
}

/** A partition of a GPT, by its GUID. */
export interface GptPartition extends PartitionPlace {
  readonly guid: string;
}

/** A partition of an MBR, by the signature of the disk. */
export interface MbrPartition extends PartitionPlace {
  readonly signature: number;
}

/** A partition as firmware finds it. */
export type EfiPartition = GptPartition | MbrPartition;

/** A step on the way to what is started. */
export type DevicePathNode =
  | { readonly type: "partition"; readonly partition: EfiPartition }
  /** A file, from the root of its filesystem, with backslashes: `\EFI\BOOT\BOOTX64.EFI`. */
  | { readonly type: "file"; readonly path: string }
  /** Any other node, with its header. */
  | { readonly type: "other"; readonly bytes: Uint8Array };

/** The nodes of a device path, without the one that ends it. */
export type DevicePath = readonly DevicePathNode[];

const LARGEST_NODE = 0xffff;

/**
 * The bytes of a device path, its end among them.
 *
 * @throws DiskwrightError `INVALID_SPEC` for a path that is too long, RangeError for a number that is out of range.
 */
export function encodeDevicePath(path: DevicePath): Uint8Array {
  const end = encodeNode(DEVICE_PATH_TYPES.end, END_OF_DEVICE_PATH, new Uint8Array(0));
  return joined([...path.map(nodeBytes), end]);
}

/**
 * The device paths that lie one behind the other in `bytes`. A node that would be encoded otherwise than it is
 * stands as it is, so that nothing of it is lost.
 *
 * @throws DiskwrightError `CORRUPT` for nodes that do not fit each other.
 */
export function decodeDevicePaths(bytes: Uint8Array): DevicePath[] {
  const paths: DevicePath[] = [];
  let path: DevicePathNode[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + devicePathHeader.span > bytes.length) damaged(`ends within the node at byte ${at}`);
    const { type, subtype, size } = devicePathHeader.fromBytes(bytes, at);
    if (size < devicePathHeader.span || at + size > bytes.length) {
      damaged(`has a node of ${size} bytes at byte ${at} of ${bytes.length}`);
    }
    const node = bytes.subarray(at, at + size);
    at += size;
    if (type !== DEVICE_PATH_TYPES.end || subtype !== END_OF_DEVICE_PATH) {
      path.push(decodeNode(type, subtype, node));
      continue;
    }
    paths.push(path);
    path = [];
  }
  if (path.length > 0) damaged("has no end");
  return paths;
}

function damaged(reason: string): never {
  throw new DiskwrightError("CORRUPT", `a device path is damaged: it ${reason}`);
}

function nodeBytes(node: DevicePathNode): Uint8Array {
  switch (node.type) {
    case "partition":
      return encodeNode(DEVICE_PATH_TYPES.media, MEDIA_SUBTYPES.hardDrive, partitionBytes(node.partition));
    case "file":
      return encodeNode(DEVICE_PATH_TYPES.media, MEDIA_SUBTYPES.file, terminatedUtf16Bytes(node.path));
    case "other":
      return node.bytes;
  }
}

function encodeNode(type: number, subtype: number, data: Uint8Array): Uint8Array {
  const size = devicePathHeader.span + data.length;
  if (size > LARGEST_NODE) {
    throw new DiskwrightError(
      "INVALID_SPEC",
      `a node of a device path takes ${size} bytes, ${LARGEST_NODE} are possible: use a shorter path`,
    );
  }
  return joined([devicePathHeader.toBytes({ type, subtype, size }), data]);
}

function partitionBytes(partition: EfiPartition): Uint8Array {
  const { number, firstLba, sectors } = partition;
  const isGpt = "guid" in partition;
  const signature = isGpt ? guidToBytes(partition.guid) : new Uint8Array(16);
  if (!isGpt) new DataView(signature.buffer).setUint32(0, partition.signature, true);
  return hardDriveNode.toBytes({
    number,
    firstLba: BigInt(firstLba),
    sectors: BigInt(sectors),
    signature,
    table: isGpt ? HARD_DRIVE_TABLES.gpt : HARD_DRIVE_TABLES.mbr,
    signatureType: isGpt ? HARD_DRIVE_SIGNATURES.gpt : HARD_DRIVE_SIGNATURES.mbr,
  });
}

function decodeNode(type: number, subtype: number, bytes: Uint8Array): DevicePathNode {
  const known = type === DEVICE_PATH_TYPES.media ? decodeMedia(subtype, bytes) : undefined;
  if (known !== undefined && compareBytes(nodeBytes(known), bytes) === 0) return known;
  return { type: "other", bytes };
}

function decodeMedia(subtype: number, bytes: Uint8Array): DevicePathNode | undefined {
  const data = bytes.subarray(devicePathHeader.span);
  if (subtype === MEDIA_SUBTYPES.file) {
    const path = terminatedUtf16Text(data);
    return path === undefined ? undefined : { type: "file", path };
  }
  if (subtype !== MEDIA_SUBTYPES.hardDrive || data.length !== hardDriveNode.span) return undefined;
  const { number, firstLba, sectors, signature, table } = hardDriveNode.fromBytes(data);
  const place = { number, firstLba: Number(firstLba), sectors: Number(sectors) };
  if (!Number.isSafeInteger(place.firstLba) || !Number.isSafeInteger(place.sectors)) return undefined;
  const partition =
    table === HARD_DRIVE_TABLES.gpt
      ? { ...place, guid: guidFromBytes(signature) }
      : { ...place, signature: new DataView(signature.buffer, signature.byteOffset).getUint32(0, true) };
  return { type: "partition", partition };
}

/** Arrays as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
