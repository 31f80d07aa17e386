import { appendAll } from "../bytes/index.ts";
import type { ByteSource } from "../extents/index.ts";
import { damaged, unsupported } from "./refuse.ts";
import {
  checksumOf,
  FOOTER_COOKIE,
  OLD_FOOTER_SIZE,
  VHD_TYPES,
  VHD_VERSION,
  type VhdFooter,
  vhdFooter,
} from "./structures.ts";

/** What the footers of a file say together. */
export interface Footers {
  /** The one that counts. */
  readonly footer: VhdFooter;
  /** Where the footer at the end starts; the end of the file when there is none. */
  readonly end: number;
  readonly problems: readonly string[];
}

/** A footer as it was found. */
interface Found {
  readonly footer: VhdFooter;
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly isSound: boolean;
}

/**
 * Finds the footers of a VHD; `undefined` when the file has none. The one at the start of a dynamic file is a copy
 * against damage, so that either of the two is enough.
 *
 * @throws DiskwrightError when neither is sound, when they contradict each other, and for kinds that are not read.
 */
export async function readFooters(file: ByteSource): Promise<Footers | undefined> {
  const first = await findFooter(file, 0, vhdFooter.span);
  const last =
    (await findFooter(file, file.size - vhdFooter.span, vhdFooter.span)) ??
    (await findFooter(file, file.size - OLD_FOOTER_SIZE, OLD_FOOTER_SIZE));
  if (first === undefined && last === undefined) return undefined;
  const chosen = first?.isSound ? first : last?.isSound ? last : undefined;
  if (chosen === undefined) {
    damaged("the checksum of its footer is wrong");
  }
  const { footer } = chosen;
  checkFooter(footer);
  const end = last?.isSound ? last.position : file.size;
  // Nothing but the disk is at the start of a fixed file.
  if (footer.type === VHD_TYPES.fixed) {
    if (!last?.isSound) damaged("it is fixed and has no footer at its end: it was cut off");
    if (first?.isSound) checkAgreement(first, last);
    return { footer: last.footer, end, problems: [] };
  }
  const problems: string[] = [];
  if (!first?.isSound) problems.push("the footer at the start of the vpc file is missing or damaged");
  if (!last?.isSound) {
    problems.push(
      "the footer at the end of the vpc file is missing or damaged: the file may have been cut off",
    );
  }
  if (first?.isSound && last?.isSound) appendAll(problems, checkAgreement(first, last));
  return { footer, end, problems };
}

async function findFooter(file: ByteSource, position: number, size: number): Promise<Found | undefined> {
  if (position < 0 || file.size < size) return undefined;
  const bytes = new Uint8Array(vhdFooter.span);
  bytes.set(await file.read(position, size));
  const footer = vhdFooter.fromBytes(bytes);
  if (!FOOTER_COOKIE.every((byte, index) => byte === footer.cookie[index])) return undefined;
  const isSound = checksumOf(bytes, vhdFooter.offsetOf("checksum")) === footer.checksum;
  return { footer, bytes, position, isSound };
}

function checkFooter({ version, type, currentSize }: VhdFooter): void {
  if (version >>> 16 !== VHD_VERSION >>> 16) {
    unsupported(`it has version ${version >>> 16}.${version & 0xffff}, 1.0 is read`);
  }
  if (type === VHD_TYPES.differencing) {
    unsupported(
      "it is a difference to another disk: merge them first (Merge-VHD, or VBoxManage clonemedium)",
    );
  }
  if (type !== VHD_TYPES.fixed && type !== VHD_TYPES.dynamic) {
    unsupported(`its type is ${type}; 2 (fixed) and 3 (dynamic) are read`);
  }
  if (currentSize % 512n !== 0n) {
    damaged(`the disk's size of ${currentSize} bytes is no multiple of a sector`);
  }
}

/** What the two sound footers differ in: little is told, and what says where the disk is is refused. */
function checkAgreement(first: Found, last: Found): string[] {
  for (const name of ["type", "currentSize", "headerOffset"] as const) {
    const [one, other] = [first.footer[name], last.footer[name]];
    if (one !== other) {
      damaged(`its two footers contradict each other: ${name} is ${one} at its start, ${other} at its end`);
    }
  }
  // An old footer has one byte less, which is none of its fields.
  return first.bytes.subarray(0, OLD_FOOTER_SIZE).every((byte, index) => byte === last.bytes[index])
    ? []
    : ["the two footers of the vpc file differ"];
}
