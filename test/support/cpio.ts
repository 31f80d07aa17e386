/** A file of a cpio archive. */
export interface CpioFile {
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** An archive that a kernel unpacks as its initial root ("newc": Documentation/driver-api/early-userspace). */
export function cpioArchive(files: readonly CpioFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [index, { path, mode, content }] of [...files, trailer].entries()) {
    const name = Buffer.from(`${path}\0`);
    const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(content));
  }
  return Buffer.concat(parts);
}

const trailer: CpioFile = { path: "TRAILER!!!", mode: 0, content: new Uint8Array(0) };

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}
