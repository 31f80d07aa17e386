import { v5 } from "uuid";
import { uuidFromBytes, uuidToBytes } from "./guid.ts";

/** The namespace of seeds that are plain text. Chosen once; a change would change every derived image. */
const SEED_NAMESPACE = "8e5a9a5c-0b1e-5d4f-9c62-6f1d1f6c7a21";

const UUID_TEXT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Where identifiers come from when they are not given: each is the UUIDv5 (RFC 9562 §5.5) of the name of
 * what it identifies, in the namespace of a seed. Equal seeds and names give equal identifiers.
 */
export interface Identity {
  /** An identifier for `name`, such as `"disk"` or `"partition/root"`. */
  uuid(name: string): string;
  /** A 32-bit identifier for `name`, never zero: MBR signatures and FAT serial numbers. */
  serial(name: string): number;
}

/** The identity that `seed`, a UUID or any text, stands for. */
export function identity(seed: string): Identity {
  // The package refuses namespaces without an RFC 9562 variant as text, but takes any 16 bytes.
  const namespace = uuidToBytes(UUID_TEXT.test(seed) ? seed : derive(seed, uuidToBytes(SEED_NAMESPACE)));
  return {
    uuid: (name) => derive(name, namespace),
    serial(name): number {
      const bytes = uuidToBytes(derive(name, namespace));
      return new DataView(bytes.buffer).getUint32(0) || 1;
    },
  };
}

function derive(name: string, namespace: Uint8Array): string {
  return uuidFromBytes(v5(name, namespace, new Uint8Array(16)));
}
