import fc from "fast-check";

/** Changes of some bytes, wherever they may be. */
export const anyDamage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 })
  .map((changes) => (bytes) => {
    const damaged = Uint8Array.from(bytes);
    for (const [at, value] of changes) if (damaged.length > 0) damaged[at % damaged.length] = value;
    return damaged;
  });
