export { type Accounts, accountsOf } from "./accounts.ts";
export { capabilityValue } from "./capabilities.ts";
export { type IdMap, type IdMaps, mapIds, mapOwners, parseIdMap } from "./id-map.ts";
export { applyManifest } from "./manifest.ts";
export { type ModeChange, parseMode } from "./mode.ts";
export { type Owner, ownerProblem, parseOwner } from "./owner.ts";
