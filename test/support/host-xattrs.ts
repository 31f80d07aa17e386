import { getAttributeSync, setAttributeSync } from "@napi-rs/xattr";

/** Sets an extended attribute of a file of the host; false where the host has none, or allows it to nobody here. */
export function setXattr(path: string, name: string, value: string | Uint8Array): boolean {
  try {
    setAttributeSync(path, name, value);
    return true;
  } catch {
    return false;
  }
}

/** An extended attribute of a file of the host, as hexadecimal digits. */
export function getXattr(path: string, name: string): string | undefined {
  return getAttributeSync(path, name)?.toString("hex");
}
