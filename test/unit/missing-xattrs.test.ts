import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { directory } from "../../src/node/index.ts";

// In a file of its own: what other tests have loaded would have to be loaded anew.

const top = mkdtempSync(join(tmpdir(), "diskwright-missing-"));
afterAll(() => rmSync(top, { recursive: true }));

describe("what reads extended attributes", () => {
  it("is missed aloud when it is not installed, and is an error when it was asked for", async () => {
    vi.doMock("@napi-rs/xattr", () => {
      throw new Error("not here");
    });
    const warnings: string[] = [];
    const onWarning = (warning: string): void => void warnings.push(warning);
    await directory(top, { onWarning });
    await directory(top, { xattrs: "none", onWarning });
    expect(warnings).toEqual([expect.stringMatching(/are not read: .*npm install @napi-rs\/xattr/)]);
    await expect(directory(top, { xattrs: "all" })).rejects.toThrow(/npm install @napi-rs\/xattr/);
  });
});
