export { type DiskRange, divide, type Room, type Share } from "./divide.ts";
export { largestPaths, type PathSize } from "./largest.ts";
export { type NixpkgsEstimate, nixpkgsEstimate, nixpkgsReserved } from "./nixpkgs.ts";
