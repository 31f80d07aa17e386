/** The parts that a version is made of (UAPI.10 "Version Comparison"); everything else separates them. */
const PART = /[0-9]+|[A-Za-z]+|[-.~^]/g;

/** Marks, from what makes a version oldest to what makes it newest. */
const MARKS = "-^.";
const LETTERS = MARKS.length + 1;
const DIGITS = MARKS.length + 2;

/** How new a version is that goes on with this part: with `~` older than if it ended, with all else newer. */
function rankOf(part: string | undefined): number {
  if (part === undefined) return 0;
  if (part === "~") return -1;
  if (isNumber(part)) return DIGITS;
  return MARKS.includes(part) ? MARKS.indexOf(part) + 1 : LETTERS;
}

function isNumber(part: string): boolean {
  return part[0]! >= "0" && part[0]! <= "9";
}

/**
 * The order of two versions by UAPI.10, Version Format Specification 1.0: negative when `a` is older, positive when
 * it is newer. Zero does not mean that they are the same text: `1_` and `1` are equally new.
 *
 * The text of the specification has a missing number count as 0; systemd, whose boot loader sorts by it, has any
 * number newer than letters. So does this: nobody but the loader decides what is started.
 */
export function compareVersions(a: string, b: string): number {
  const left = a.match(PART) ?? [];
  const right = b.match(PART) ?? [];
  for (let index = 0; ; index++) {
    const one = left[index];
    const other = right[index];
    const order = rankOf(one) - rankOf(other);
    if (order !== 0) return order;
    if (one === undefined || other === undefined) return 0;
    const difference = isNumber(one) ? compareNumbers(one, other) : compareText(one, other);
    if (difference !== 0) return difference;
  }
}

/** The order of two numbers of any length, by their digits. */
function compareNumbers(a: string, b: string): number {
  const one = a.replace(/^0+/, "");
  const other = b.replace(/^0+/, "");
  return one.length - other.length || compareText(one, other);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
