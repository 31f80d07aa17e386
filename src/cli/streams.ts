// To open a standard stream takes a few milliseconds: a run opens those that it writes to.

const opened = new Set<NodeJS.WriteStream>();

/** For data. A failure is told to the callback of the write. */
export function standardOutput(): NodeJS.WriteStream {
  return open(process.stdout);
}

/** For people. They may go away: the exit status says how it went. */
export function standardError(): NodeJS.WriteStream {
  return open(process.stderr);
}

/** Waits until everything that was written has left: where a stream is a pipe, that takes its time on some systems. */
export async function allWritten(): Promise<void> {
  await Promise.all([...opened].map(written));
}

function open(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (!opened.has(stream)) {
    opened.add(stream);
    // Without a listener, a reader that goes away would end the process.
    stream.on("error", () => {});
  }
  return stream;
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
