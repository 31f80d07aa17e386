import { appendAll, byteKey, utf8Text } from "../bytes/index.ts";
import { type Disk, SECTOR, unitDisk } from "../container/index.ts";
import type { ByteSource } from "../extents/index.ts";
import {
  CREATE_TYPES,
  type CreateType,
  type Descriptor,
  parseDescriptor,
  reasonAgainst,
  shown,
} from "./descriptor.ts";
import { GrainDirectory } from "./directory.ts";
import { descriptorBytes, descriptorFileBytes, type Geometry, geometryOf, validHeader } from "./geometry.ts";
import { Grains, type Inflate } from "./grains.ts";
import { damaged, unsupported } from "./refuse.ts";
import { ENTRY, VMDK_MAGIC, vmdkHeader } from "./structures.ts";

/** What {@link openVmdk} needs. */
export interface OpenVmdkOptions {
  /** What unpacks zlib data that becomes at most `size` bytes; throws when it is damaged or becomes more. */
  readonly inflate: Inflate;
}

/**
 * Opens a VMDK that is one file; `undefined` when the file is none.
 *
 * @throws DiskwrightError `CORRUPT` for one that breaks the rules, `UNSUPPORTED_IMAGE` for a kind that is not read.
 */
export async function openVmdk(file: ByteSource, { inflate }: OpenVmdkOptions): Promise<Disk | undefined> {
  const start = await file.read(0, Math.min(file.size, vmdkHeader.span));
  switch (kindOf(start)) {
    case "descriptor":
      return refuseDescriptor(textOf(await descriptorFileBytes(file)));
    case "vmfsSparse":
      return unsupported("it is a vmfsSparse one, of a snapshot on ESX: convert the whole disk first");
    case "seSparse":
      return unsupported("it is a seSparse one, of a snapshot on ESXi: convert the whole disk first");
    case undefined:
      return undefined;
  }
  if (start.length < vmdkHeader.span) damaged("it ends within its header");
  const header = await validHeader(file, vmdkHeader.fromBytes(start));
  const geometry = geometryOf(header, file.size);
  const descriptor = parseDescriptor(textOf(await descriptorBytes(file, header)));
  const variant: CreateType = geometry.isCompressed ? "streamOptimized" : "monolithicSparse";
  const problems = [
    ...(header.uncleanShutdown === 0 ? [] : ["the vmdk file was not closed: its tables may be wrong"]),
    ...checkDescriptor(descriptor, geometry, variant),
  ];
  const directory = new GrainDirectory(file, geometry.directoryOffset, geometry);
  const fault = await directory.fault();
  if (fault !== undefined) damaged(fault);
  appendAll(problems, await compareDirectories(file, geometry, directory));
  const grains = new Grains(file, geometry, directory, inflate);
  return unitDisk({
    format: "vmdk",
    file,
    size: geometry.size,
    unitSize: geometry.grainSize,
    problems,
    details: { variant, version: header.version, grainSize: geometry.grainSize, ...contentId(descriptor) },
    run: (grain) => grains.run(grain),
  });
}

/** The first bytes of kinds that are not plain sparse files. */
const DESCRIPTOR_START = /^#\s?disk descriptor ?file/i;
const VMFS_SPARSE_START = "COWD";
const SE_SPARSE_START = "\xbe\xba\xfe\xca\0\0\0\0";

function kindOf(start: Uint8Array): "sparse" | "descriptor" | "vmfsSparse" | "seSparse" | undefined {
  const text = byteKey(start.subarray(0, 32));
  if (DESCRIPTOR_START.test(text)) return "descriptor";
  if (text.startsWith(VMFS_SPARSE_START)) return "vmfsSparse";
  if (text.startsWith(SE_SPARSE_START)) return "seSparse";
  if (start.length < ENTRY) return undefined;
  const magic = new DataView(start.buffer, start.byteOffset, start.byteLength).getUint32(0, true);
  return magic === VMDK_MAGIC ? "sparse" : undefined;
}

/** The text of a descriptor, up to the zeros that end it. Old ones are in the code page of the host. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  return utf8Text(text) ?? byteKey(text);
}

/** A descriptor is a file of its own when the disk lies in others, which are not looked for. */
function refuseDescriptor(text: string): never {
  const descriptor = parseDescriptor(text);
  const [extent] = descriptor.extents;
  if (extent === undefined) damaged("it is a descriptor that tells of no file in which the disk lies");
  const type = descriptor.values.get("createtype") ?? "unknown";
  const reason = reasonAgainst(descriptor) ?? `its disk lies in ${shown(extent.name)}`;
  return unsupported(`it is only the descriptor of a disk of the type ${shown(type)}: ${reason}`);
}

/** What is odd about the descriptor in a sparse file. Refuses a disk that the file is only a part of. */
function checkDescriptor(descriptor: Descriptor, { size }: Geometry, variant: CreateType): string[] {
  const reason = reasonAgainst(descriptor);
  if (reason !== undefined) unsupported(reason);
  const createType = descriptor.values.get("createtype");
  const [extent] = descriptor.extents;
  if (createType === undefined || extent === undefined) {
    damaged("its descriptor does not tell what type it has, or in which file the disk lies");
  }
  if (!CREATE_TYPES.some((type) => type.toLowerCase() === createType.toLowerCase())) {
    unsupported(`it is of the type ${shown(createType)}; ${CREATE_TYPES.join(" and ")} are read`);
  }
  const problems: string[] = [];
  if (createType.toLowerCase() !== variant.toLowerCase()) {
    problems.push(`the descriptor of the vmdk file says ${createType}, its header ${variant}`);
  }
  if (extent.sectors !== BigInt(size / SECTOR)) {
    problems.push(
      `the descriptor of the vmdk file says ${extent.sectors} sectors, its header ${size / SECTOR}`,
    );
  }
  return problems;
}

function contentId({ values }: Descriptor): { contentId?: string } {
  const id = values.get("cid");
  return id !== undefined && /^[0-9a-f]{1,8}$/i.test(id) ? { contentId: id.toLowerCase() } : {};
}

/** Tables whose entries are compared: those of the first 128 GiB of a disk, usually. It takes 16 MiB of reading. */
const COMPARED_TABLES = 4096;

/** How the second grain directory differs from the first, as far as it is looked at. */
async function compareDirectories(
  file: ByteSource,
  geometry: Geometry,
  directory: GrainDirectory,
): Promise<string[]> {
  const { redundantDirectoryOffset: offset, tables } = geometry;
  if (offset === undefined) return [];
  if (offset + BigInt(ENTRY * tables) > BigInt(file.size)) {
    return [`the second grain directory of the vmdk file lies at byte ${offset}, behind its end`];
  }
  const second = new GrainDirectory(file, Number(offset), geometry);
  const fault = await second.fault();
  if (fault !== undefined) return [`the second grain directory of the vmdk file is damaged: ${fault}`];
  const table = await directory.difference(second, COMPARED_TABLES);
  return table === undefined
    ? []
    : [`the two grain directories of the vmdk file tell different things of grain table ${table}`];
}
