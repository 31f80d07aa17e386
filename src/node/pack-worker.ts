import { parentPort, workerData } from "node:worker_threads";
import { checksumOf, packUnits, portablePack } from "../packing/index.ts";
import { nativeCrc32, nativePack } from "./native-packing.ts";
import type { PackMessage, PackResponse, PackWorkerData, SharedSlot } from "./packer-pool.ts";

// What a worker thread of a packer does: units in, packed units out, nothing kept.

const { packing, isPortable } = workerData as PackWorkerData;
const pack = await (isPortable ? portablePack(packing) : nativePack(packing));
const checksum = await checksumOf(packing, nativeCrc32);
const slots = new Map<number, SharedSlot>();

parentPort!.on("message", (message: PackMessage) => {
  if (message.type === "slot") {
    slots.set(message.slot, message.memory);
    return;
  }
  const { id, slot, length, unitSize } = message;
  const { input, output } = slots.get(slot)!;
  const bytes = input.subarray(0, length);
  const { packed, checksums } = packUnits({ pack, checksum }, bytes, unitSize);
  let at = 0;
  for (const unit of packed) {
    if (unit === undefined) continue;
    output.set(unit, at);
    at += unit.length;
  }
  const sizes = packed.map((unit) => unit?.length);
  const response: PackResponse = { id, sizes, checksums };
  parentPort!.postMessage(response);
});
