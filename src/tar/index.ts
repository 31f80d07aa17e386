export type { TarTime } from "./numbers.ts";
export { type TarInput, type TarMember, TarReader } from "./read.ts";
