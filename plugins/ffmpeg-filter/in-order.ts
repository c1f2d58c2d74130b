/** @file Work on a stream that begins ahead, ends in order, and is bounded. */

/**
 * Start work on each item as it comes, up to `ahead` of what was taken, and yield results in order.
 *
 * @param start begins the work on an item; its result is awaited here
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  start: (item: T, index: number) => Promise<R>,
  ahead: number,
): AsyncGenerator<R> {
  const source = items[Symbol.asyncIterator]();
  const under: Promise<R>[] = [];
  let index = 0;
  let open = true;
  try {
    while (open || under.length > 0) {
      while (open && under.length < ahead) {
        const { value, done } = await source.next();
        if (done === true) open = false;
        else {
          const result = start(value, index++);
          result.catch(() => undefined); // thrown where it is awaited
          under.push(result);
        }
      }
      const first = under.shift();
      if (first) yield await first;
    }
  } finally {
    await source.return?.();
  }
}
