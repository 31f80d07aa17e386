import { checkArgument } from "../arguments/index.ts";
import { crc32 } from "../bytes/index.ts";
import { bytesExtent, type Extent } from "../extents/index.ts";
import { protectiveMbr } from "../mbr/index.ts";
import { gptPlanKind } from "./arguments.ts";
import { nameUnits } from "./name.ts";
import type { GptCopy, GptPlan } from "./plan.ts";
import { GPT_REVISION, GPT_SIGNATURE, gptEntry, gptHeader } from "./structures.ts";

/**
 * The bytes of a table: protective MBR, header and entries at the start of the disk, and at its end the same
 * entries and the backup header. All partitions lie between.
 */
export function writeGpt(plan: GptPlan): Generator<Extent> {
  checkArgument("plan", plan, gptPlanKind);
  return tableExtents(plan);
}

function* tableExtents(plan: GptPlan): Generator<Extent> {
  const { sectorSize, primary, backup } = plan;
  const entries = entryArray(plan);
  const entriesCrc = crc32(entries.subarray(0, plan.entryCount * gptEntry.span));
  yield bytesExtent(0, firstSector(plan));
  yield bytesExtent(primary.headerLba * sectorSize, headerSector(plan, primary, backup, entriesCrc));
  yield bytesExtent(primary.entriesLba * sectorSize, entries);
  yield bytesExtent(backup.entriesLba * sectorSize, entries);
  yield bytesExtent(backup.headerLba * sectorSize, headerSector(plan, backup, primary, entriesCrc));
}

function firstSector(plan: GptPlan): Uint8Array {
  const { sectors, sectorSize, bootCode, hybrid, protectiveMbrBootable: bootable, protectiveMbrEntry } = plan;
  const position = protectiveMbrEntry === undefined ? {} : { protectiveEntry: protectiveMbrEntry };
  return protectiveMbr(sectors, { sectorSize, bootable, bootCode, hybrid, ...position });
}

function entryArray({ entryArraySectors, sectorSize, partitions }: GptPlan): Uint8Array {
  const bytes = new Uint8Array(entryArraySectors * sectorSize);
  for (const { number, type, guid, firstLba, lastLba, attributes, name } of partitions) {
    const entry = {
      type,
      guid,
      firstLba: BigInt(firstLba),
      lastLba: BigInt(lastLba),
      attributes,
      name: nameUnits(name),
    };
    gptEntry.encode(entry, bytes, (number - 1) * gptEntry.span, `partition ${number}`);
  }
  return bytes;
}

function headerSector(plan: GptPlan, copy: GptCopy, other: GptCopy, entriesCrc: number): Uint8Array {
  const header = {
    signature: GPT_SIGNATURE,
    revision: GPT_REVISION,
    headerSize: gptHeader.span,
    headerCrc: 0,
    myLba: BigInt(copy.headerLba),
    alternateLba: BigInt(other.headerLba),
    firstUsableLba: BigInt(plan.firstUsableLba),
    lastUsableLba: BigInt(plan.lastUsableLba),
    diskGuid: plan.diskGuid,
    entriesLba: BigInt(copy.entriesLba),
    entryCount: plan.entryCount,
    entrySize: gptEntry.span,
    entriesCrc,
  };
  const headerCrc = crc32(gptHeader.toBytes(header));
  const sector = new Uint8Array(plan.sectorSize);
  sector.set(gptHeader.toBytes({ ...header, headerCrc }));
  return sector;
}
