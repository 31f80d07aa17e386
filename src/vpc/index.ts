export { checkAzureSize, planVpc, type VpcPlan, type VpcSpec } from "./plan.ts";
export { openVpc } from "./read.ts";
export { vpcLayout } from "./write.ts";
