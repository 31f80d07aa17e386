/** A run of bytes in which an input differs from the one it was made from. */
interface Change {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Changes that lie apart by this much are tried one by one. */
const APART = 1;

function changesBetween(original: Uint8Array, bytes: Uint8Array): Change[] {
  const changes: Change[] = [];
  const end = Math.min(original.length, bytes.length);
  for (let at = 0; at < end; at++) {
    if (original[at] === bytes[at]) continue;
    const start = at;
    while (at + APART < end && original[at + APART] !== bytes[at + APART]) at++;
    changes.push({ start, bytes: bytes.slice(start, at + 1) });
  }
  return changes;
}

/**
 * Takes changes back as long as an input stays one of its kind. `repair` puts the checksums right again, which are
 * changes of their own.
 */
export async function minimised(
  original: Uint8Array,
  bytes: Uint8Array,
  repair: (bytes: Uint8Array) => void,
  isFinding: (bytes: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let size = bytes.length;
  let changes = changesBetween(original, bytes);
  const build = (some: readonly Change[], length: number): Uint8Array => {
    const built = new Uint8Array(length);
    built.set(original.subarray(0, length));
    if (length > original.length) built.set(bytes.subarray(original.length, length), original.length);
    for (const { start, bytes: changed } of some)
      if (start < length) built.set(changed.subarray(0, length - start), start);
    repair(built);
    return built;
  };
  if (size !== original.length && (await isFinding(build(changes, original.length)))) size = original.length;
  for (
    let part = Math.max(1, Math.ceil(changes.length / 2));
    changes.length > 0;
    part = Math.ceil(part / 2)
  ) {
    for (let at = 0; at < changes.length; ) {
      const without = [...changes.slice(0, at), ...changes.slice(at + part)];
      if (await isFinding(build(without, size))) changes = without;
      else at += part;
    }
    if (part === 1) break;
  }
  const smallest = build(changes, size);
  return (await isFinding(smallest)) ? smallest : bytes;
}
