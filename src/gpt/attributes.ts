import { printable, utf8 } from "../bytes/index.ts";
import { throwProblems } from "../errors.ts";
import { instead } from "../tables/index.ts";

/**
 * Attribute bits of a partition. Bits 0 to 2 mean the same for every type (UEFI 2.10 §5.3.3, table 5-8);
 * bits 48 to 63 belong to the type, and those here are of the Discoverable Partitions Specification.
 */
export const PARTITION_ATTRIBUTES = {
  /** The platform needs the partition: tools should not remove it. */
  required: 0x1n,
  /** Firmware makes no block device of it. EDK2 then hides the partition. */
  noBlockIo: 0x2n,
  /** A BIOS boots from it. */
  legacyBootable: 0x4n,
  /** The filesystem is to grow to the size of the partition when it is mounted. */
  growFileSystem: 0x0800_0000_0000_0000n,
  /** Mounted read-only. */
  readOnly: 0x1000_0000_0000_0000n,
  /** Not mounted by itself. */
  noAuto: 0x8000_0000_0000_0000n,
} as const;

/** Bits 3 to 47, which must be zero. */
const RESERVED = 0x0000_ffff_ffff_fff8n;

const LIMIT = 0xffff_ffff_ffff_ffffn;

/** What is wrong with the attributes of a partition, or `undefined`. */
export function attributesProblem(attributes: bigint): string | undefined {
  if (typeof attributes !== "bigint") return "attributes that are not a bigint";
  if (attributes < 0n || attributes > LIMIT) return `the attributes ${attributes}, which are not 64 bits`;
  if ((attributes & RESERVED) === 0n) return undefined;
  return `the attributes 0x${attributes.toString(16)}: bits 3 to 47 are reserved`;
}

/** The attributes by the names that spec files and options have for them. */
const BY_NAME: ReadonlyMap<string, bigint> = new Map([
  ["required", PARTITION_ATTRIBUTES.required],
  ["no-block-io", PARTITION_ATTRIBUTES.noBlockIo],
  ["legacy-bootable", PARTITION_ATTRIBUTES.legacyBootable],
  ["grow-file-system", PARTITION_ATTRIBUTES.growFileSystem],
  ["read-only", PARTITION_ATTRIBUTES.readOnly],
  ["no-auto", PARTITION_ATTRIBUTES.noAuto],
]);

const NAMES: ReadonlyMap<bigint, string> = new Map([...BY_NAME].map(([name, bit]) => [bit, name]));

/** What an attribute can be written as. */
const KNOWN = `${[...BY_NAME.keys()].join(", ")}, bit-48 … bit-63, or a number such as 0x8000000000000000`;

/**
 * Attributes as people write them: names of {@link PARTITION_ATTRIBUTES} in lower case with hyphens, `bit-48` …
 * `bit-63` for those of a type, or all bits as one number, `0x8000000000000000`. A text can have several, with
 * commas or spaces between them.
 *
 * @throws DiskwrightError `INVALID_SPEC`, with the names that there are. The error lists all that is wrong.
 */
export function parseAttributes(value: readonly string[] | string | bigint): bigint {
  const problems: string[] = [];
  let attributes = 0n;
  if (typeof value === "bigint") attributes = checkedBits(value, problems);
  else {
    const texts = typeof value === "string" ? [value] : value;
    for (const word of texts.flatMap((text) => text.split(/[\s,]+/))) {
      if (word !== "") attributes |= parseAttribute(word, problems);
    }
  }
  throwProblems("INVALID_SPEC", "the attributes cannot be used", problems);
  return attributes;
}

function parseAttribute(word: string, problems: string[]): bigint {
  const known = BY_NAME.get(word);
  if (known !== undefined) return known;
  const bit = /^bit-(\d{1,2})$/.exec(word)?.[1];
  if (bit !== undefined && Number(bit) <= 63) return checkedBits(1n << BigInt(bit), problems);
  if (/^0x[0-9a-f]+$/i.test(word)) return checkedBits(BigInt(word), problems);
  problems.push(`attribute "${printable(utf8(word))}": ${instead(word, BY_NAME.keys(), KNOWN)}`);
  return 0n;
}

function checkedBits(bits: bigint, problems: string[]): bigint {
  const problem = attributesProblem(bits);
  if (problem === undefined) return bits;
  problems.push(problem);
  return 0n;
}

/**
 * The names of attributes, lowest bit first, as {@link parseAttributes} takes them; `bit-48` and the like for
 * those without one. Reserved bits of a table that was read are named as well.
 */
export function attributeNames(attributes: bigint): string[] {
  const bits = Array.from({ length: 64 }, (_, index) => index).filter(
    (index) => (attributes >> BigInt(index)) & 1n,
  );
  return bits.map((index) => NAMES.get(1n << BigInt(index)) ?? `bit-${index}`);
}
