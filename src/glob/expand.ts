import {
  type Group,
  type Item,
  invalidPattern,
  MOST_CHOICES,
  type OneCharacter,
  type Sequence,
} from "./parse.ts";

/** A sequence whose groups, if there are any, hold no slash. */
export type Segment = Sequence;

/** A segment with no group: what takes one character, and stars. */
export type FlatSequence = readonly (OneCharacter | { readonly type: "star" })[];

/**
 * The paths that a pattern stands for, as segments between slashes: groups that hold slashes are written out.
 *
 * @throws DiskwrightError `INVALID_SPEC` when that are too many, or a slash is in a group that can be there any number
 *   of times.
 */
export function segmentsOf(sequence: Sequence, pattern: string): Segment[][] {
  return written(sequence, hasSlash, pattern).map((path) => {
    const segments: Item[][] = [[]];
    for (const item of path) {
      if (item.type === "slash") segments.push([]);
      else segments.at(-1)!.push(item);
    }
    return segments.filter(({ length }) => length > 0);
  });
}

/** A segment that is written out more often than this is matched with its groups. */
const MOST_FLAT = 64;

/** The segment with its groups written out, if that is possible and gives few. */
export function flattened(segment: Segment): FlatSequence[] | undefined {
  return countOf(segment) > MOST_FLAT ? undefined : (written(segment, () => true, "") as FlatSequence[]);
}

/** What a segment matches and more: a star for every group. */
export function relaxed(segment: Segment): FlatSequence {
  return segment.map((item) => (item.type === "group" ? { type: "star" } : item)) as FlatSequence;
}

function hasSlash(group: Group): boolean {
  return group.choices.some((choice) =>
    choice.some((item) => item.type === "slash" || (item.type === "group" && hasSlash(item))),
  );
}

/** How many sequences a segment is written out as; infinite for what cannot be. */
function countOf(sequence: Sequence): number {
  let count = 1;
  for (const item of sequence) {
    if (item.type !== "group") continue;
    if (item.kind !== "once" && item.kind !== "optional") return Number.POSITIVE_INFINITY;
    count *= item.choices.reduce((sum, choice) => sum + countOf(choice), item.kind === "optional" ? 1 : 0);
  }
  return count;
}

/** The sequences that a sequence stands for when the groups that are asked for are written out. */
function written(sequence: Sequence, isWritten: (group: Group) => boolean, pattern: string): Item[][] {
  let done: Item[][] = [[]];
  for (const item of sequence) {
    if (item.type !== "group" || !isWritten(item)) {
      for (const one of done) one.push(item);
      continue;
    }
    if (item.kind !== "once" && item.kind !== "optional") {
      throw invalidPattern(pattern, "a slash cannot be in *(…), +(…) or !(…): write several patterns");
    }
    const choices = item.choices.flatMap((choice) => written(choice, isWritten, pattern));
    if (item.kind === "optional") choices.push([]);
    if (done.length * choices.length > MOST_CHOICES) {
      throw invalidPattern(pattern, `its groups stand for more than ${MOST_CHOICES} patterns`);
    }
    done = done.flatMap((start) => choices.map((choice) => [...start, ...choice]));
  }
  return done;
}
