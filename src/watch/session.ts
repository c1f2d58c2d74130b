/** @file A watched folder with its state open: everything that works on its files, put together. */
import { takeLock } from './lock.ts';
import type { Context, IdentifiedRule } from './context.ts';
import type { Executor } from './executor.ts';
import { Failures } from './failures.ts';
import { settingsKey } from './identity.ts';
import { Intake, type Desk } from './intake.ts';
import { KnownFiles } from './known.ts';
import { Originals } from './originals.ts';
import type { Pause } from './pause.ts';
import { isWithin, type Places } from './places.ts';
import { Processing } from './processing.ts';
import { JobQueue } from './queue.ts';
import type { JobRecord } from './record.ts';
import { Results } from './results.ts';
import { Shares } from './shares.ts';
import { State } from './state.ts';

/** From the moment its state is locked until it is given back. */
export interface Session {
  readonly desk: Desk;
  readonly shares: Shares;
  readonly intake: Intake;
  readonly processing: Processing;
  /** Jobs that were under way when the program ended, until their results can be looked for. */
  unfinished: readonly JobRecord[];
  close(): Promise<void>;
}

/**
 * Opens the state of a watched folder and takes up what an earlier run left.
 *
 * @throws PathError when another watcher has it
 */
export async function openSession(
  context: Context,
  rule: IdentifiedRule,
  places: Places,
  executor: Executor,
  pause: Pause,
): Promise<Session> {
  const state = await State.open(places.state);
  const unlock = await takeLock(state.folder, { signal: context.signal });
  try {
    const keeps = rule.rule.originals.kind === 'keep' || !places.writable;
    const known = new KnownFiles(state, settingsKey(places.out, rule), keeps);
    const queue = new JobQueue();
    const results = new Results(places.out, rule.rule.ending, state);
    const apart = isWithin(state.folder, places.in) ? [] : [places.in];
    const targets = [places.out, places.failed, ...(places.done ? [places.done] : [])];
    const shares = await Shares.of(state, [...targets, ...apart]);
    const originals = new Originals(places, state, shares);
    const failures = new Failures(places, state, originals);
    const desk: Desk = {
      rule,
      places,
      state,
      known,
      queue,
      results,
      originals,
      failures,
    };
    const intake = new Intake(context, desk);
    const processing = new Processing(context, desk, intake, pause, executor);

    if (places.writable) await originals.cleanIn(places.in);
    await originals.recover();
    if (await shares.isMounted(places.failed)) await originals.cleanIn(places.failed);
    if (places.done && (await shares.isMounted(places.done))) await originals.cleanIn(places.done);
    for (const record of await state.jobs('queue')) {
      const { key, file, stamp, replaces } = record;
      known.set(file, { stamp, key, status: 'queued', prior: replaces });
      queue.add(record);
    }
    const unfinished = await state.jobs('work');
    for (const { key, file, stamp, replaces } of unfinished) {
      known.set(file, { stamp, key, status: 'queued', prior: replaces });
    }
    const close = async (): Promise<void> => {
      intake.stop();
      await unlock();
    };
    return { desk, shares, intake, processing, unfinished, close };
  } catch (error) {
    await unlock();
    throw error;
  }
}
