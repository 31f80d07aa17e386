export { type DescribeDiskOptions, type DescribedDisk, describeDisk } from "./describe.ts";
export { type Ext4TreeOptions, ext4Tree, type HarvestedTree } from "./ext4-tree.ts";
export { type FatTreeOptions, fatTree } from "./fat-tree.ts";
export { type HarvestedImage, type HarvestOptions, harvest } from "./harvest.ts";
