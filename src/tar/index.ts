export { hasRightSum as isTarHeader } from "./header.ts";
export type { TarTime } from "./numbers.ts";
export { type TarInput, type TarMember, TarReader } from "./read.ts";
