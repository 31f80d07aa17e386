export { LONGEST_NAME, PLAIN_DIRECTORY, type RowAttributes, TreeBuilder } from "./builder.ts";
export { treeOf } from "./entries.ts";
export type { DataRange, Device, Entry, EntryType } from "./entry.ts";
export { withTopDirectory } from "./insert.ts";
export * as fileMode from "./mode.ts";
export { emptied, ownedBy, subtree } from "./select.ts";
export { type ContentOrigin, Tree, type TreeColumns, type TreeExtras } from "./tree.ts";
export type { Xattrs, XattrTable } from "./xattrs.ts";
