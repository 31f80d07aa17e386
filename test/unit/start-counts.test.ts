import { describe, expect, it } from "vitest";
import { StartCounts } from "../../src/container/start-counts.ts";

const STRETCH = 64 * 1024;

describe("the count of compressed units by their starts", () => {
  it.each([1, 2, 64, 100, STRETCH])("takes as many of %d bytes as can lie in 64 KiB", (least) => {
    const counts = new StartCounts();
    const most = Math.ceil(STRETCH / least);
    let taken = 0;
    while (taken <= most && counts.add(Math.min(taken * least, STRETCH - 1), least)) taken++;
    expect(taken).toBe(most);
    expect(counts.add(STRETCH - 1, least)).toBe(false);
    // What starts elsewhere is counted by itself.
    expect(counts.add(STRETCH, least)).toBe(true);
    expect(counts.add(2 ** 52, least)).toBe(true);
  });
});
