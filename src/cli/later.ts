import { type Command, Help } from "commander";

/** Adds options, and returns the command. */
export type AddOptions = (command: Command) => Command;

/**
 * For commands that have subcommands: adds the options of a subcommand when it is called for. To make those of all
 * commands takes a tenth of the time of a short run.
 */
export class LaterOptions {
  readonly #pending = new Map<Command, AddOptions>();

  /** A new subcommand, which will have options. */
  command(parent: Command, name: string, add: AddOptions): Command {
    const command = parent.command(name);
    this.#pending.set(command, add);
    // `help NAME` asks for the help of a command that is not called.
    command.on("beforeHelp", () => this.#add(command));
    return command;
  }

  /** Lets the subcommands of `parent` have their options in time. */
  serve(parent: Command): void {
    parent.hook("preSubcommand", (_, command) => this.#add(command));
    const help = new Help();
    parent.configureHelp({
      subcommandTerm: (command) => {
        const term = help.subcommandTerm(command);
        const [names, ...rest] = term.split(" ");
        return this.#pending.has(command) ? [names, "[options]", ...rest].join(" ") : term;
      },
    });
  }

  #add(command: Command): void {
    this.#pending.get(command)?.(command);
    this.#pending.delete(command);
  }
}
