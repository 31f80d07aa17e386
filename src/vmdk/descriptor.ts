import { printable, utf8 } from "../bytes/index.ts";
import { type ContainerFacts, SECTOR } from "../container/index.ts";
import type { VmdkPlan } from "./plan.ts";

// The descriptor is text: assignments, and a line for each file that the disk lies in (Virtual Disk Format 5.0,
// "The Descriptor File").

export const CREATE_TYPES = ["monolithicSparse", "streamOptimized"] as const;

/** The kinds of VMDK that are one file. */
export type CreateType = (typeof CREATE_TYPES)[number];

/** Whatever the file is called: a name that changes would change the bytes. */
const EXTENT_NAME = "disk.vmdk";

/** The parent of a disk that is none's difference. */
const NO_PARENT = "ffffffff";
/** Content identifiers from here on have a meaning of their own: no parent, and a disk of zeros. */
const FIRST_SPECIAL_ID = 0xffff_fffe;

/** What vSphere asks for: the tools of the guest are managed by itself. */
const TOOLS_VERSION = 2 ** 31 - 1;

/** The geometry that BIOSes of VMware have for SCSI disks of more than 1 GB. */
const HEADS = 255;
const SECTORS_PER_TRACK = 63;
const MOST_CYLINDERS = 65_535;

/** The descriptor of a disk that lies in one file. VirtualBox reads none that is indented. */
export function descriptorText(plan: VmdkPlan, createType: CreateType, { identity }: ContainerFacts): string {
  const contentId = contentIdText(identity.serial("vmdk/content"));
  // The end of the long identifier is the short one.
  const longContentId = identity.uuid("vmdk/content").replaceAll("-", "").slice(0, 24) + contentId;
  const capacity = plan.size / SECTOR;
  const cylinders = Math.min(MOST_CYLINDERS, Math.ceil(capacity / (HEADS * SECTORS_PER_TRACK)));
  const lines = [
    "# Disk DescriptorFile",
    "version=1",
    'encoding="UTF-8"',
    `CID=${contentId}`,
    `parentCID=${NO_PARENT}`,
    `createType="${createType}"`,
    "",
    "# Extent description",
    `RW ${capacity} SPARSE "${EXTENT_NAME}"`,
    "",
    "# The Disk Data Base",
    "#DDB",
    "",
    'ddb.adapterType = "lsilogic"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    `ddb.geometry.heads = "${HEADS}"`,
    `ddb.geometry.sectors = "${SECTORS_PER_TRACK}"`,
    `ddb.longContentID = "${longContentId}"`,
    `ddb.toolsVersion = "${TOOLS_VERSION}"`,
    // Without one, VirtualBox makes one up and writes it into the file.
    `ddb.uuid.image="${plan.uuid ?? identity.uuid("vmdk")}"`,
    'ddb.virtualHWVersion = "4"',
  ];
  return `${lines.join("\n")}\n`;
}

function contentIdText(serial: number): string {
  const id = serial < FIRST_SPECIAL_ID ? serial : serial - 2;
  return id.toString(16).padStart(8, "0");
}

/** A file that a disk lies in, or a part of it. */
export interface DescriptorExtent {
  readonly sectors: bigint;
  /** Such as `SPARSE` or `FLAT`, in upper case. */
  readonly type: string;
  /** Empty where there is no file, as for `ZERO`. */
  readonly name: string;
}

/** What a descriptor says. */
export interface Descriptor {
  /** By names in lower case. */
  readonly values: ReadonlyMap<string, string>;
  readonly extents: readonly DescriptorExtent[];
}

const EXTENT_LINE = /^(?:RW|RDONLY|NOACCESS)[ \t]+(\d{1,20})[ \t]+(\w{1,32})/i;

/** Reads a descriptor. Lines that are neither an assignment nor an extent are passed over, as comments are. */
export function parseDescriptor(text: string): Descriptor {
  const values = new Map<string, string>();
  const extents: DescriptorExtent[] = [];
  for (const raw of text.split(/[\r\n]/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const extent = EXTENT_LINE.exec(line);
    if (extent !== null) {
      const name = quoted(line.slice(extent[0].length));
      extents.push({ sectors: BigInt(extent[1]!), type: extent[2]!.toUpperCase(), name });
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 0) continue;
    const value = line.slice(equals + 1).trim();
    const isQuoted = value.startsWith('"');
    values.set(line.slice(0, equals).trim().toLowerCase(), isQuoted ? quoted(value) : value);
  }
  return { values, extents };
}

/** What stands between the first two quotes. */
function quoted(text: string): string {
  const start = text.indexOf('"');
  const end = text.indexOf('"', start + 1);
  return start < 0 || end < 0 ? "" : text.slice(start + 1, end);
}

const FLAT_TYPES = new Set(["FLAT", "VMFS"]);
const OUTSIDE = /^[/\\]|^[a-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)/i;
const REMEDY = "convert it as a whole first (qemu-img convert)";

/** Why a disk cannot be read from one sparse file, by what the descriptor says; `undefined` when it can. */
export function reasonAgainst({ values, extents }: Descriptor): string | undefined {
  const parent = values.get("parentcid");
  if (parent !== undefined && parent.toLowerCase() !== NO_PARENT) {
    const hint = values.get("parentfilenamehint");
    return `it is a difference to ${hint === undefined ? "another disk" : shown(hint)}: ${REMEDY}`;
  }
  const outside = extents.find(({ name }) => OUTSIDE.test(name));
  if (outside !== undefined) {
    return `its disk lies in ${shown(outside.name)}, outside of its directory: a file must not say what else is read`;
  }
  const [first, ...others] = extents;
  if (first === undefined) return undefined;
  if (others.length > 0) {
    return `its disk lies in ${extents.length} files, the first of which is ${shown(first.name)}: ${REMEDY}`;
  }
  if (FLAT_TYPES.has(first.type)) {
    return `its disk lies flat in ${shown(first.name)}: read that file, as a raw image`;
  }
  if (first.type !== "SPARSE") return `its extent is of the type ${first.type}, SPARSE is read: ${REMEDY}`;
  return undefined;
}

/** How much of a name is told. */
const MOST_SHOWN = 200;

/** What a file says, for people. */
export function shown(text: string): string {
  return `"${printable(utf8(text.slice(0, MOST_SHOWN)))}${text.length > MOST_SHOWN ? "…" : ""}"`;
}
