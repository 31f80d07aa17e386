export { instead, nearNames } from "../arguments/index.ts";
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
export { overlaps, type SectorRange } from "./overlap.ts";
