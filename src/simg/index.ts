export { planSimg, type SimgPlan, type SimgSpec } from "./plan.ts";
export { openSimg } from "./read.ts";
export { simgLayout } from "./write.ts";
