// lzma1 0.3.0 ships its sources in place of types, which do not compile with the strictness of this project;
// `paths` in tsconfig.base.json leads here instead. Only what lzma.ts stands on is declared.

/** Packs `data` as a `.lzma` file. `mode` 1 … 9: how hard it tries, and how far back it looks. */
export function compress(data: Uint8Array, mode: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9): Uint8Array;
