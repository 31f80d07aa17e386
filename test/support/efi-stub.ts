import { utf8 } from "../../src/bytes/index.ts";

/** How a made-up stub differs from an unsigned one for x86-64. */
export interface StubShape {
  readonly machine?: number;
  readonly subsystem?: number;
  readonly isSigned?: boolean;
  readonly names?: readonly [string, string];
  /** How many headers of sections have room behind those of the stub. */
  readonly room?: number;
  /** Whether something else lies there. */
  readonly isRoomTaken?: boolean;
}

/** Where the headers of {@link efiStub} start; `sections` is that of 64 bits. */
export const STUB_OFFSETS = { coff: 0x84, optional: 0x98, sections: 0x98 + 0xf0 } as const;

/**
 * An executable of EFI with two sections of 512 bytes in the file, from 1024 on; made without the
 * code that is tested.
 */
export function efiStub(shape: StubShape = {}): Uint8Array {
  const { machine = 0x8664, subsystem = 10, names = [".text", ".data"] } = shape;
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  const is32 = machine === 0x14c;
  const optionalSize = is32 ? 0xe0 : 0xf0;
  const { coff, optional } = STUB_OFFSETS;
  bytes.set(utf8("MZ"), 0);
  view.setUint32(0x3c, coff - 4, true);
  bytes.set(utf8("PE\0\0"), coff - 4);
  view.setUint16(coff, machine, true);
  view.setUint16(coff + 2, 2, true);
  view.setUint16(coff + 16, optionalSize, true);
  view.setUint16(coff + 18, 0x206, true);

  const table = optional + optionalSize;
  view.setUint16(optional, is32 ? 0x10b : 0x20b, true);
  for (const at of [4, 8, 36]) view.setUint32(optional + at, 512, true);
  view.setUint32(optional + 32, 512, true);
  view.setUint32(optional + 56, 0x3210, true);
  view.setUint32(optional + 60, shape.room === undefined ? 1024 : table + 80 + 40 * shape.room, true);
  view.setUint32(optional + 64, 0x12345678, true);
  view.setUint16(optional + 68, subsystem, true);
  const directories = optional + (is32 ? 96 : 112);
  view.setUint32(directories - 4, 16, true);
  if (shape.isSigned) view.setUint32(directories + 8 * 4 + 4, 100, true);

  const sections = [
    { name: names[0], content: "code", position: 1024, address: 0x1000, characteristics: 0x60000020 },
    {
      name: names[1],
      content: "data of the stub",
      position: 1536,
      address: 0x3010,
      characteristics: 0xc0000040,
    },
  ];
  for (const [index, { name, content, position, address, characteristics }] of sections.entries()) {
    const at = table + 40 * index;
    bytes.set(utf8(name), at);
    view.setUint32(at + 8, content.length, true);
    view.setUint32(at + 12, address, true);
    view.setUint32(at + 16, 512, true);
    view.setUint32(at + 20, position, true);
    view.setUint32(at + 36, characteristics, true);
    bytes.set(utf8(content), position);
  }
  if (shape.isRoomTaken) bytes[table + 80 + 39] = 1;
  return bytes;
}
