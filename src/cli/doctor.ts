import { largestOf } from "../bytes/index.ts";
import { examine } from "../vm/index.ts";
import { print, printJson } from "./output.ts";

/** What the options of `doctor` hold. */
export interface DoctorOptions {
  readonly qemu?: string;
  readonly busybox?: string;
  readonly json?: boolean;
}

/** `diskwright doctor` */
export async function runDoctor(
  { qemu, busybox, json = false }: DoctorOptions,
  signal: AbortSignal,
): Promise<void> {
  const report = await examine({ qemu, busybox, signal });
  if (json) return await printJson(report);
  const width = largestOf(report.findings.map(({ name }) => name.length));
  const indent = " ".repeat(width + 6);
  const lines = report.findings.flatMap(({ name, works, detail, enables }) => [
    `${works ? "yes" : "no "}  ${name.padEnd(width + 1)}${detail.replaceAll("\n", `\n${indent}`)}`,
    `${indent}for ${enables}`,
  ]);
  await print(
    [
      "Images are made, read and converted, and boot loaders placed, without any of these.",
      "",
      ...lines,
    ].join("\n"),
  );
}
