// The few globals that the core uses and that every host has: browsers, workers, Node, Deno, Bun.
// The core is compiled with no other ambient types, so that a stray `Buffer` does not compile.

declare class TextEncoder {
  encode(text?: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

declare function setTimeout(callback: () => void, milliseconds?: number): unknown;
