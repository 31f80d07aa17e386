import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { zstdFromFile } from "../../src/node/zstd-wasm.ts";
import { portablePack, portableUnpackers, zstdFrameSize } from "../../src/packing/index.ts";
import { pattern } from "../support/containers.ts";

const ROOT = join(import.meta.dirname, "../..");
const text = new TextEncoder().encode(
  Array.from({ length: 20_000 }, (_, index) => `line ${index * 7919}\n`).join(""),
);

describe("zstd", async () => {
  const { zstd: unpack } = await portableUnpackers();

  it.each([1, 3, 9, 19, 22])("gives the same bytes by both packages, at level %d", async (level) => {
    const [inline, fromFile] = await Promise.all([
      portablePack({ type: "zstd", level }),
      portablePack({ type: "zstd", level }, zstdFromFile),
    ]);
    for (const bytes of [
      text,
      pattern(65_536, 1),
      new Uint8Array(70_000),
      Uint8Array.of(1),
      new Uint8Array(0),
    ]) {
      const frame = inline(bytes).slice();
      expect(Buffer.compare(frame, fromFile(bytes))).toBe(0);
      expect(zstdFrameSize(frame)).toBe(frame.length);
      expect(Buffer.compare(unpack(frame, bytes.length), bytes)).toBe(0);
    }
  });

  it("fails, and does not hang, where WebAssembly is forbidden", () => {
    const program = `
      const forbidden = async () => { throw new WebAssembly.CompileError("refused by the Content Security Policy"); };
      Object.assign(WebAssembly, { instantiate: forbidden, compile: forbidden, instantiateStreaming: forbidden });
      globalThis.fetch = async () => { throw new TypeError("nothing is fetched"); };
      const { portablePacker } = await import("./dist/packing/index.js");
      for (let attempt = 0; attempt < 2; attempt++) {
        await portablePacker({ type: "zstd", level: 3 }).then(
          () => console.log("loaded"),
          (error) => console.log(error.code, error.message),
        );
      }`;
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: ROOT,
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(status).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatch(/^OUTPUT zstd cannot be used here.*refused by the Content Security Policy/);
    }
  });
});
