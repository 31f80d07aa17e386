import { parentPort, workerData } from "node:worker_threads";
import { checksumOf, type Packing, packUnits, portablePack, type UnitPacker } from "../packing/index.ts";
import { nativeCrc32, nativePack } from "./native-packing.ts";
import type { PackMessage, PackResponse, PackWorkerData, SharedSlot } from "./packer-pool.ts";
import { youngGarbageCollector } from "./reclaim.ts";
import { zstdFromFile } from "./zstd-wasm.ts";

// What a worker thread of packers does: units in, packed units out, nothing kept.

const { isPortable } = workerData as PackWorkerData;
const collectGarbage = youngGarbageCollector();
const slots = new Map<number, SharedSlot>();
const packings = new Map<number, Promise<UnitPacker>>();

async function load(packing: Packing): Promise<UnitPacker> {
  const [pack, checksum] = await Promise.all([
    isPortable ? portablePack(packing, zstdFromFile) : nativePack(packing),
    checksumOf(packing, nativeCrc32),
  ]);
  return { pack, checksum };
}

async function answer(message: Extract<PackMessage, { type: "pack" }>): Promise<void> {
  const { id, packing, slot, length, unitSize } = message;
  const packer = await packings.get(packing)!;
  const { input, output } = slots.get(slot)!;
  let at = 0;
  const keep = (unit: Uint8Array): Uint8Array => {
    output.set(unit, at);
    at += unit.length;
    return output.subarray(at - unit.length, at);
  };
  const { packed, checksums } = packUnits(packer, input.subarray(0, length), unitSize, keep);
  const sizes = packed.map((unit) => unit?.length);
  const response: PackResponse = { id, sizes, checksums };
  parentPort!.postMessage(response);
  collectGarbage(length);
}

// A failure ends the thread, which tells who waits.
parentPort!.on("message", (message: PackMessage) => {
  if (message.type === "slot") slots.set(message.slot, message.memory);
  else if (message.type === "packing") packings.set(message.number, load(message.packing));
  else void answer(message);
});
