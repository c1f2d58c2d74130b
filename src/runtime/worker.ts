/** @file The thread in which models run: a run blocks its thread, so the caller's stays free. */
import { parentPort } from 'node:worker_threads';
import type { Reply, Request } from './messages.ts';
import { createSession, type Session, type Tensors } from './session.ts';

const sessions = new Map<number, Session>();
const port = parentPort!;

async function answer(request: Request): Promise<number | Tensors | undefined> {
  switch (request.kind) {
    case 'load':
      sessions.set(request.id, await createSession(request.source, request.options));
      return request.id;
    case 'run':
      return await sessions.get(request.session)!.run(request.feeds, request.outputs);
    case 'release':
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return undefined;
  }
}

let last: Promise<void> = Promise.resolve();

port.on('message', (request: Request) => {
  // One at a time: runs share the cores, and the order of answers stays that of the questions.
  last = last.then(async () => {
    let reply: Reply;
    try {
      reply = { id: request.id, ok: true, value: await answer(request) };
    } catch (cause) {
      const { name, message } = cause as Error;
      reply = { id: request.id, ok: false, name, message };
    }
    port.postMessage(reply);
  });
});
