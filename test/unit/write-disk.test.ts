import { describe, expect, it, type Mock, vi } from "vitest";
import { rawDisk } from "../../src/container/index.ts";
import {
  bytesExtent,
  bytesSource,
  memoryTarget,
  sequentialTarget,
  type Target,
} from "../../src/extents/index.ts";
import { copyDisk, writeDisk } from "../../src/formats/index.ts";
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

describe("the room that will be filled", () => {
  const MIB = 2 ** 20;
  const part = new Uint8Array(32 * MIB);
  const told = (): Target & { reserve: Mock } => ({ ...sequentialTarget(() => {}), reserve: vi.fn() });
  const calls = (target: { reserve: Mock }): unknown[] => target.reserve.mock.calls;

  it("is told of runs where the disk lies as it is, and as a whole where its content lies dense", async () => {
    const starts = [0, 32, 64, 200].map((start) => start * MIB);
    const planned = {
      size: 400 * MIB,
      extents: () => starts.map((position) => bytesExtent(position, part)),
      runs: () => [
        { position: 0, length: 96 * MIB },
        { position: 200 * MIB, length: 32 * MIB },
      ],
    };
    const [raw, qcow2, spread] = [told(), told(), told()];
    await writeDisk(planned, [
      { target: raw },
      { format: "qcow2", target: qcow2 },
      { format: "vdi-static", target: spread },
    ]);
    expect(calls(raw)).toEqual([
      [0, 96 * MIB],
      [200 * MIB, 32 * MIB],
    ]);
    expect(calls(qcow2)).toEqual([[0, 128 * MIB]]);
    expect(calls(spread)).toEqual([]);
  });

  it("is told of by what the file takes that is read", async () => {
    const target = { ...memoryTarget(), reserve: vi.fn() };
    await copyDisk({ ...disk, room: 300_000 }, [{ format: "vdi", target }]);
    await copyDisk({ ...disk, room: 2 ** 40 }, [{ format: "vdi", target: { ...target, ...memoryTarget() } }]);
    expect(calls(target)).toEqual([
      [0, 300_000],
      [0, MIB],
    ]);
  });
});
