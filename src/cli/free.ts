import type { ByteRange, ByteSource } from "../extents/index.ts";

/** The bytes of a disk that its filesystems call free. What finds them is loaded when an output asks for them. */
export async function* freeRangesOf(disk: ByteSource): AsyncGenerator<ByteRange> {
  const { freeRanges } = await import("../inspect/index.ts");
  yield* freeRanges(disk);
}
