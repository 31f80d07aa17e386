export { type DiskRange, diskSizeFor, restOf } from "./disk.ts";
export { largestPaths, type PathSize } from "./largest.ts";
export { type NixpkgsEstimate, nixpkgsEstimate } from "./nixpkgs.ts";
