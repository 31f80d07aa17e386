/** What one line of a boot menu starts. */
export interface BootEntry {
  /** What names it, unlike all others. */
  readonly id: string;
  /** What the menu shows. */
  readonly title: string;
  readonly version?: string | undefined;
  readonly sortKey?: string | undefined;
  /** The kernel's path in the staged tree. */
  readonly linux: string;
  /** The paths of the initrds in the staged tree, in the order in which they are unpacked. */
  readonly initrds: readonly string[];
  /** The kernel's command line. */
  readonly options: string;
  /** The path of a device tree in the staged tree. */
  readonly devicetree?: string | undefined;
}
