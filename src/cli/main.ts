#!/usr/bin/env node
import { writeSync } from "node:fs";
import { Command } from "commander";
import { addCommands } from "./commands.ts";
import { EXIT, report } from "./exit.ts";
import { Interrupts } from "./interrupts.ts";
import { otherNameHint } from "./other-names.ts";
import { print } from "./output.ts";
import { allWritten, writeText } from "./streams.ts";
import { clearLine } from "./talk.ts";
import { VERSION } from "./version.ts";

/** The whole command line; commands stop when the signal asks them to. Help and the version go to `tell`. */
function commandLine(signal: AbortSignal, tell: (text: string) => void): Command {
  const program = new Command("diskwright")
    .description(
      "From a directory to a bootable disk image: in one pass, without root, loop devices or a VM.",
    )
    .version(VERSION)
    .showHelpAfterError("(add --help for the options)")
    .addHelpText("after", "\nExit status: 0 done, 1 failed, 2 wrong use, 3 does not fit; 130 for Ctrl-C.");
  program.exitOverride().configureOutput({
    writeOut: tell,
    writeErr: (text) => writeText(text.replace(/\n$/, "")),
    outputError: (text, write) => write(text + otherNameHint(text)),
  });
  addCommands(program, signal);
  return program;
}

async function main(interrupts: Interrupts): Promise<void> {
  let told = "";
  try {
    try {
      await commandLine(interrupts.signal, (text) => void (told += text)).parseAsync();
    } finally {
      // The program ends by an exception when it has only help to give.
      if (told !== "") await print(told.trimEnd());
    }
    process.exitCode = EXIT.done;
  } catch (error) {
    // Whoever interrupts a run needs no message, and what fails afterwards follows from that.
    if (!interrupts.isInterrupted) process.exitCode = report(error);
  }
}

async function run(): Promise<never> {
  // Where nothing is waited for any more, Node ends the process, whatever is still to be done: that is no success.
  process.exitCode = EXIT.failed;
  const interrupts = new Interrupts();
  const tellUnfinished = (): void => {
    if (!interrupts.isInterrupted) writeSync(2, "error: the program ended before its work was done\n");
  };
  process.once("exit", tellUnfinished);
  await main(interrupts);
  process.off("exit", tellUnfinished);
  if (interrupts.isInterrupted) {
    clearLine();
    interrupts.end();
  }
  await allWritten();
  // Nothing is left to do, and to take the memory apart before the end takes longer than to start some commands.
  process.exit();
}

void run();
