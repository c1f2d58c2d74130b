/** @file Long loops in short turns, so that the service goes on listening. */

/** Samples that are worked on in one turn: some ten milliseconds. */
const usualTurn = 1 << 20;

/**
 * Runs `work` over 0 to `length`, one turn after the other, with the event loop in between.
 *
 * @param work gets the first of a turn and the first that is no longer in it
 * @param turn how many are done in one turn
 * @throws the signal's reason when it aborts
 */
export async function inTurns(
  length: number,
  signal: AbortSignal | undefined,
  work: (start: number, end: number) => void,
  turn: number = usualTurn,
): Promise<void> {
  for (let start = 0; start < length; start += turn) {
    signal?.throwIfAborted();
    work(start, Math.min(start + turn, length));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
