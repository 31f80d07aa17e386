export { planVhdx, type VhdxPlan, type VhdxSpec } from "./plan.ts";
export { openVhdx } from "./read.ts";
export { vhdxLayout } from "./write.ts";
