export { qcow2PackedLayout, qcow2Packing } from "./compressed.ts";
export { planQcow2, type Qcow2Plan, type Qcow2Spec } from "./plan.ts";
export { type OpenQcow2Options, openQcow2 } from "./read.ts";
export { qcow2Layout } from "./write.ts";
