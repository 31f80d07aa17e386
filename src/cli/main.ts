#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addCommands } from "./commands.ts";
import { EXIT, report } from "./exit.ts";
import { print } from "./output.ts";
import { allWritten, standardError } from "./streams.ts";

/** The whole command line; commands stop when the signal asks them to. Help and the version go to `tell`. */
function commandLine(signal: AbortSignal, tell: (text: string) => void): Command {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("diskwright")
    .description(
      "From a directory to a bootable disk image: in one pass, without root, loop devices or a VM.",
    )
    .version(version)
    .showHelpAfterError("(add --help for the options)")
    .addHelpText("after", "\nExit status: 0 done, 1 failed, 2 wrong use, 3 does not fit, 130 interrupted.");
  program.exitOverride().configureOutput({
    writeOut: tell,
    writeErr: (text) => void standardError().write(text),
  });
  addCommands(program, signal);
  return program;
}

async function main(): Promise<void> {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => controller.abort());
  let told = "";
  try {
    try {
      await commandLine(controller.signal, (text) => void (told += text)).parseAsync();
    } finally {
      // The program ends by an exception when it has only help to give.
      if (told !== "") await print(told.trimEnd());
    }
    process.exitCode = EXIT.done;
  } catch (error) {
    process.exitCode = report(error);
  }
}

async function run(): Promise<never> {
  await main();
  await allWritten();
  // Nothing is left to do, and to take the memory apart before the end takes longer than to start some commands.
  process.exit();
}

void run();
