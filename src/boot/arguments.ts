import { fields, list, number, optional, type Required, routine, text } from "../arguments/index.ts";
import { contentKind } from "../extents/index.ts";
import type { DataRange } from "../tree/index.ts";
import type { BootFile, BootInstallation, EfiBootEntry, RawBoot } from "./installation.ts";

/** What makes an image boot, at run time. */
export const bootInstallationKind: Required = fields<BootInstallation>("what a boot loader gives", {
  files: list(
    fields<BootFile>("a file of a boot loader", {
      path: text,
      content: contentKind,
      data: optional(list(fields<DataRange>("a data range", { offset: number, length: number }))),
    }),
    "an array of files",
  ),
  raw: optional(fields<RawBoot>("boot code", { size: number, placedAt: routine })),
  featureProblems: optional(routine),
  featureWarnings: optional(routine),
  efiEntries: list(
    fields<EfiBootEntry>("a boot entry", { title: text, path: text }),
    "an array of boot entries",
  ),
  warnings: list(text, "an array of warnings"),
});
