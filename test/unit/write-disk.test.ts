import { describe, expect, it, vi } from "vitest";
import { rawDisk } from "../../src/container/index.ts";
import { bytesSource, memoryTarget, sequentialTarget, type Target } from "../../src/extents/index.ts";
import { copyDisk } from "../../src/formats/index.ts";
import { type Packer, portablePacker } from "../../src/packing/index.ts";

const disk = rawDisk(bytesSource(new Uint8Array(1024 * 1024).fill(1)));

describe("copyDisk", () => {
  it("closes its packers when a target cannot take the format", async () => {
    const close = vi.fn<Packer["close"]>();
    const packers = async (): Promise<Packer> => ({
      ...(await portablePacker({ type: "zlib", level: 6 })),
      close,
    });
    const target = sequentialTarget(() => {});
    await expect(copyDisk(disk, [{ format: "qcow2-compressed", target }], { packers })).rejects.toThrow(
      "this container cannot go to a target that takes bytes in order only",
    );
    expect(close).toHaveBeenCalledOnce();
  });

  it("aborts every target when one fails, though another cannot even be aborted, and tells what failed", async () => {
    const stuck: Target = {
      ...memoryTarget(),
      abort(): never {
        throw new Error("cannot be aborted");
      },
    };
    const full: Target = {
      ...memoryTarget(),
      commit(): never {
        throw new Error("no space left");
      },
    };
    const last = { ...memoryTarget(), abort: vi.fn() };
    const outputs = [stuck, full, last].map((target) => ({ target }));
    await expect(copyDisk(disk, outputs)).rejects.toThrow("no space left");
    expect(last.abort).toHaveBeenCalledOnce();
  });
});
