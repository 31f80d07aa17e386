export { planVdi, type VdiPlan, type VdiSpec } from "./plan.ts";
export { openVdi } from "./read.ts";
export { vdiLayout } from "./write.ts";
