import { type Command, Option } from "commander";
import { inspect } from "../inspect/index.ts";
import { fileSource } from "../node/index.ts";
import { printJson } from "./build.ts";
import { imageText } from "./text.ts";

interface InspectCommandOptions {
  readonly json?: boolean;
  readonly sectorSize?: string;
}

/** `diskwright inspect`. */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .summary("say what an image holds")
    .description(
      "Says what an image holds: partition table, partitions, filesystems, and what is wrong with them.",
    )
    .argument("<image>", "a disk image, or an image of one filesystem")
    .addOption(
      new Option(
        "--sector-size <bytes>",
        "bytes of a sector (default: found by where the table lies)",
      ).choices(["512", "4096"]),
    )
    .option("--json", "as JSON")
    .action(run);
}

async function run(path: string, options: InspectCommandOptions): Promise<void> {
  const source = fileSource(path);
  try {
    const sectorSize =
      options.sectorSize === undefined ? undefined : (Number(options.sectorSize) as 512 | 4096);
    const report = await inspect(source, { sectorSize });
    if (options.json) printJson(report);
    else process.stdout.write(`${imageText(report)}\n`);
  } finally {
    source.close();
  }
}
