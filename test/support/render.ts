import type { Extent } from "../../src/extents/index.ts";
import { memoryTarget, sweep } from "../../src/extents/index.ts";

/** The bytes of an image of `size` bytes that consists of `extents`. */
export async function render(extents: Iterable<Extent>, size: number): Promise<Uint8Array> {
  const target = memoryTarget();
  await target.begin(size);
  await sweep(extents, (position, bytes) => target.write(position, bytes));
  await target.commit();
  return target.bytes;
}
