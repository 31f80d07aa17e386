/** A 64-bit ELF file with these sections, for x86-64 unless told otherwise. */
export function elfFile(
  sections: Readonly<Record<string, string>>,
  { machine = 62, isDynamic = false }: { readonly machine?: number; readonly isDynamic?: boolean } = {},
): Uint8Array {
  const names = ["", ...Object.keys(sections), ".shstrtab"];
  const text = (value: string) => Buffer.from(value, "latin1");
  const nameTable = text(names.map((name) => `${name}\0`).join(""));
  const bodies = [Buffer.alloc(0), ...Object.values(sections).map(text), nameTable];
  const header = Buffer.alloc(64);
  const program = Buffer.alloc(isDynamic ? 56 : 0);
  if (isDynamic) program.writeUInt32LE(3, 0);
  const headers = bodies.map(() => Buffer.alloc(64));
  let at = header.length + program.length;
  for (const [index, body] of bodies.entries()) {
    headers[index]!.writeUInt32LE(nameTable.indexOf(`${names[index]}\0`), 0);
    headers[index]!.writeBigUInt64LE(BigInt(at), 0x18);
    headers[index]!.writeBigUInt64LE(BigInt(body.length), 0x20);
    at += body.length;
  }
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(machine, 0x12);
  header.writeBigUInt64LE(64n, 0x20);
  header.writeBigUInt64LE(BigInt(at), 0x28);
  header.writeUInt16LE(56, 0x36);
  header.writeUInt16LE(isDynamic ? 1 : 0, 0x38);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(headers.length, 0x3c);
  header.writeUInt16LE(headers.length - 1, 0x3e);
  return new Uint8Array(Buffer.concat([header, program, ...bodies, ...headers]));
}

/** A module of the kernel that says this about itself, such as `depends=jbd2`. */
export function kernelModule(...lines: readonly string[]): Uint8Array {
  return elfFile({ ".text": "code", ".modinfo": lines.map((line) => `${line}\0`).join("") });
}
