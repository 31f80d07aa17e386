export {
  checkBootCode,
  checkDisk,
  type Findings,
  hasFindings,
  noFindings,
  numberPartitions,
  type SectorSize,
  throwFindings,
} from "./findings.ts";
export { instead, nearNames } from "./near.ts";
export { overlaps, type SectorRange } from "./overlap.ts";
