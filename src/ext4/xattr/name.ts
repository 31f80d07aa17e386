import { printable, utf8, utf8Text } from "../../bytes/index.ts";
import { aclProblem } from "./acl.ts";

// Names of extended attributes (attributes.rst, "attribute name prefixes"), and what Linux allows for them.

/** The longest name with its prefix, and the largest value, in bytes: the limits of Linux (xattr(7)). */
const LONGEST_NAME = 255;
const LARGEST_VALUE = 65536;

/** What a stored name has for its prefix. */
export const NAME_INDEX = {
  user: 1,
  accessAcl: 2,
  defaultAcl: 3,
  trusted: 4,
  security: 6,
  system: 7,
  richAcl: 8,
  gnu: 10,
} as const;

export const ACCESS_ACL = "system.posix_acl_access";
export const DEFAULT_ACL = "system.posix_acl_default";

/** Names that an index stands for as a whole; what is stored of the name is empty. */
const WHOLE_NAMES: readonly (readonly [string, number])[] = [
  [ACCESS_ACL, NAME_INDEX.accessAcl],
  [DEFAULT_ACL, NAME_INDEX.defaultAcl],
  ["system.richacl", NAME_INDEX.richAcl],
];

/** Prefixes that an index stands for; the rest of the name is stored. */
const PREFIXES: readonly (readonly [string, number])[] = [
  ["user.", NAME_INDEX.user],
  ["trusted.", NAME_INDEX.trusted],
  ["security.", NAME_INDEX.security],
  ["system.", NAME_INDEX.system],
  ["gnu.", NAME_INDEX.gnu],
];

/** Not an attribute, but where ext4 keeps the content of a small file (inline_data). */
const INLINE_DATA = "system.data";

/** A name as it is stored: a number for the prefix, and the bytes behind it. */
export interface XattrName {
  readonly index: number;
  readonly rest: Uint8Array;
}

function display(name: string): string {
  return `the extended attribute "${printable(utf8(name))}"`;
}

/** What keeps a name from being stored, or `undefined`. */
export function xattrNameProblem(name: string): string | undefined {
  const bytes = utf8(name);
  const shown = display(name);
  if (bytes.length > LONGEST_NAME) {
    return `${shown} has a name of ${bytes.length} bytes, the limit is ${LONGEST_NAME}: shorten or remove it`;
  }
  if (name.includes("\0") || utf8Text(bytes) !== name) {
    return `${shown} has a name that is no text: rename or remove it`;
  }
  if (name === INLINE_DATA) return `${shown} has a name that ext4 keeps for itself: rename or remove it`;
  if (PREFIXES.some(([prefix]) => name === prefix)) {
    return `${shown} has no name behind the prefix: rename or remove it`;
  }
  if (!PREFIXES.some(([prefix]) => name.startsWith(prefix))) {
    const prefixes = PREFIXES.map(([prefix]) => prefix).join(", ");
    return `${shown} has none of the prefixes that ext4 stores (${prefixes}): rename or remove it`;
  }
  return undefined;
}

/** A name that has no {@link xattrNameProblem}, as it is stored. */
export function xattrName(name: string): XattrName {
  for (const [whole, index] of WHOLE_NAMES) if (name === whole) return { index, rest: new Uint8Array(0) };
  const [prefix, index] = PREFIXES.find(([candidate]) => name.startsWith(candidate))!;
  return { index, rest: utf8(name.slice(prefix.length)) };
}

/** Whether a stored name is that of an ACL. */
export function isAcl(index: number): boolean {
  return index === NAME_INDEX.accessAcl || index === NAME_INDEX.defaultAcl;
}

/** What keeps a value from being stored, or `undefined`. */
export function xattrValueProblem(name: string, value: Uint8Array): string | undefined {
  if (value.length > LARGEST_VALUE) {
    return `${display(name)} has ${value.length} bytes, the limit is ${LARGEST_VALUE}: shorten or remove it`;
  }
  const problem = name === ACCESS_ACL || name === DEFAULT_ACL ? aclProblem(value) : undefined;
  return problem === undefined ? undefined : `${display(name)} ${problem}: mend or remove it`;
}

/**
 * The full name of a stored one, or `undefined` when there is none. Bytes that are no text read as `\xNN`.
 */
export function fullXattrName({ index, rest }: XattrName): string | undefined {
  const whole = WHOLE_NAMES.find(([, candidate]) => candidate === index);
  if (whole !== undefined && rest.length === 0) return whole[0];
  const prefix = PREFIXES.find(([, candidate]) => candidate === index);
  if (prefix === undefined || rest.length === 0) return undefined;
  return prefix[0] + (utf8Text(rest) ?? printable(rest));
}
