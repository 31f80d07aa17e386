export type { MtreeFields } from "./keywords.ts";
export type { WrittenName } from "./names.ts";
export { isPattern, matchesName } from "./pattern.ts";
export { type MtreeEntry, mtreeEntries, readMtree } from "./read.ts";
