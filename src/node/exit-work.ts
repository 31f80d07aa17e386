// What has to be undone when the process ends before its work is finished: files without their final name, scratch
// directories, programs that were started.

const pending = new Set<() => void>();
let isListening = false;
let observer: ((isPending: boolean) => void) | undefined;

/**
 * Has `undo` called when the process exits, until the function that is returned is called. It must not wait for
 * anything: no promise is kept any more by then.
 */
export function undoOnExit(undo: () => void): () => void {
  if (!isListening) process.on("exit", undoAll);
  isListening = true;
  pending.add(undo);
  if (pending.size === 1) observer?.(true);
  return () => {
    if (pending.delete(undo) && pending.size === 0) observer?.(false);
  };
}

/** Undoes now what would be undone when the process exits. */
export function undoAll(): void {
  for (const undo of [...pending]) {
    pending.delete(undo);
    try {
      undo();
    } catch {
      // The process ends, and the others have their turn. What could not be removed is found by a later run.
    }
  }
}

/**
 * Tells `listener`, at once and on every change, whether there is anything to undo. While there is nothing, a signal
 * may end the process on the spot. There is one listener: the program.
 */
export function observeExitWork(listener: (isPending: boolean) => void): void {
  observer = listener;
  listener(pending.size > 0);
}
