export { planVmdk, type VmdkPlan, type VmdkSpec } from "./plan.ts";
export { type OpenVmdkOptions, openVmdk } from "./read.ts";
export { vmdkStreamLayout } from "./stream.ts";
export { vmdkLayout } from "./write.ts";
