export { LONGEST_NAME, PLAIN_DIRECTORY, type RowAttributes, TreeBuilder } from "./builder.ts";
export { type LayOptions, TreeDraft } from "./draft.ts";
export { treeOf } from "./entries.ts";
export type { DataRange, Device, Entry, EntryType } from "./entry.ts";
export * as fileMode from "./mode.ts";
export { climbs, joinedPath, pathBytes, pathNames, shownPath } from "./path.ts";
export { emptied, ownedBy, subtree, without } from "./select.ts";
export { type ContentOrigin, Tree, type TreeColumns, type TreeExtras } from "./tree.ts";
export { type Xattrs, type XattrTable, xattrProblems } from "./xattrs.ts";
