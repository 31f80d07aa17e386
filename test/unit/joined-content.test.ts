import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/bytes/index.ts";
import {
  bytesContent,
  type Content,
  type ContentReader,
  contentBytes,
  contentSource,
  type FileContent,
  joinedContent,
  sweep,
} from "../../src/extents/index.ts";
import { patterned, patternedBytes } from "../support/trees.ts";

/** A host file of 10 bytes that ends after 6. */
const shortened: FileContent = { type: "file", size: 10, path: utf8("/host/short"), stamp: undefined };

const reader: ContentReader = {
  read: (_content, offset, into) => {
    const part = utf8("SHORT!").subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  },
  verify: () => {},
  close: () => {},
};

/** The bytes of some content as a sweep sends them out, from an extent of all but its first `skipped` bytes. */
async function swept(content: Content, skipped = 0): Promise<Uint8Array> {
  const length = content.size - skipped;
  const bytes = new Uint8Array(length);
  const extent = { position: 0, length, source: content, offset: skipped };
  await sweep([extent], (position, part) => bytes.set(part, position), { reader });
  return bytes;
}

describe("contents that are joined", () => {
  const joined = (size: number): Content =>
    joinedContent([
      bytesContent(utf8("one, ")),
      bytesContent(new Uint8Array(0)),
      joinedContent([bytesContent(utf8("two")), patterned(size, 3)]),
      bytesContent(utf8(", three")),
    ]);
  const bytesOf = (size: number): Buffer =>
    Buffer.concat([utf8("one, two"), patternedBytes(size, 3), utf8(", three")]);

  it("are read one behind the other, through more than a buffer of a sweep", async () => {
    const content = joined(600_000);
    expect(content.size).toBe(600_015);
    expect(bytesOf(600_000).equals(await contentBytes(content, undefined))).toBe(true);
    expect(bytesOf(600_000).equals(await swept(content))).toBe(true);
  });

  it("are read from anywhere", async () => {
    const [content, expected] = [joined(20), bytesOf(20)];
    await fc.assert(
      fc.asyncProperty(fc.nat(expected.length), fc.nat(expected.length), async (first, second) => {
        const [start, end] = [Math.min(first, second), Math.max(first, second)];
        const read = await contentSource(content, reader).read(start, end - start);
        expect(expected.subarray(start, end).equals(read)).toBe(true);
        expect(expected.subarray(start).equals(await swept(content, start))).toBe(true);
      }),
    );
  });

  it("may be none", async () => {
    expect(await contentBytes(joinedContent([]), undefined)).toEqual(new Uint8Array(0));
  });

  it("name the file among them that ended early", async () => {
    const content = joinedContent([bytesContent(utf8("head")), shortened, bytesContent(utf8("tail"))]);
    await expect(swept(content)).rejects.toMatchObject({ code: "SOURCE_CHANGED", path: "/host/short" });
    await expect(contentBytes(content, reader)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await expect(contentBytes(content, undefined)).rejects.toThrow("`reader`");
  });
});
