/** @file Files that cannot be upscaled leave the watched folder, with the reason in a text beside them. */
import { mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { move, writeWhole } from './moves.ts';
import { companion } from './names.ts';
import { isUnused, type Originals } from './originals.ts';
import type { Places } from './places.ts';
import type { FailureRecord } from './record.ts';
import { stampOf, type Stamp } from './stamp.ts';
import { failureId, type State } from './state.ts';

/** Begins the last line of every reason, by which ours are told from a user's texts. */
const signature = 'Moved here by osediff watch';

/** The failed files of one rule. */
export class Failures {
  readonly #places: Places;
  readonly #state: State;
  readonly #originals: Originals;

  constructor(places: Places, state: State, originals: Originals) {
    this.#places = places;
    this.#state = state;
    this.#originals = originals;
  }

  /**
   * Moves a file to the failed ones.
   *
   * @param reason one line
   * @returns undefined when the file changed or left meanwhile
   */
  async add(
    file: string,
    stamp: Stamp,
    reason: string,
    kind: string,
  ): Promise<FailureRecord | undefined> {
    const { failed } = this.#places;
    const hidden = this.#originals.hiddenIn(failed);
    const at = new Date();
    const moved = await this.#originals.moveTo(failed, file, stamp, {
      isFree: async (place) => (await isUnused(place)) && (await isReason(reasonOf(place))),
      prepare: async (place) => {
        await mkdir(hidden, { recursive: true });
        const draft = join(hidden, `${failureId(at.getTime())}.txt`);
        await writeWhole(draft, reasonText(reason, file, at), false);
        await move(draft, reasonOf(place), { via: hidden, ifTaken: 'replace' });
      },
    });
    if (moved === undefined) return undefined;
    await rmdir(hidden).catch(() => undefined); // another may be on its way through it
    const id = failureId(at.getTime());
    const now = (await stampOf(moved)) ?? stamp;
    const record: FailureRecord = {
      id,
      file,
      moved,
      reason,
      class: kind,
      // A copy between devices has a time of its own; one that has grown already is to be seen as late.
      stamp: sizeOf(now) === sizeOf(stamp) ? now : stamp,
      at: at.toISOString(),
    };
    await this.#state.addFailure(record);
    return record;
  }

  /**
   * Moves a failed file back, to be tried again.
   *
   * @returns its path below the watched folder; undefined when it was not there any more
   */
  async retry(id: string): Promise<string | undefined> {
    const record = await this.#state.failure(id);
    if (!record) return undefined;
    const { moved, file } = record;
    const there = (await stampOf(moved)) !== undefined;
    if (there) {
      if (this.#places.writable) await this.#originals.bringBack(moved, file);
      else await rm(moved); // the original never left
      if (await isReason(reasonOf(moved))) await rm(reasonOf(moved), { force: true });
    }
    await this.#state.forgetFailure(id);
    return there ? file : undefined;
  }

  /**
   * The latest failures whose files still lie there; those that a user has taken out are forgotten.
   */
  async list(most: number): Promise<readonly FailureRecord[]> {
    const records: FailureRecord[] = [];
    for (const id of await this.#state.failures()) {
      if (records.length === most) break;
      const record = await this.#state.failure(id);
      if (record && (await stampOf(record.moved)) !== undefined) records.push(record);
      else await this.#state.forgetFailure(id);
    }
    return records;
  }
}

function sizeOf(stamp: Stamp): string {
  return stamp.split(':')[0]!;
}

function reasonOf(place: string): string {
  return companion(place, '.txt');
}

/** Whether a text is a reason of ours, or nothing at all. */
async function isReason(path: string): Promise<boolean> {
  if (await isUnused(path)) return true;
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.includes(signature);
}

function reasonText(reason: string, file: string, at: Date): string {
  return [
    reason,
    '',
    `To try again, move ${basename(file)} back into the watched folder or retry it on the status page.`,
    `${signature} on ${at.toISOString()}.`,
    '',
  ].join('\n');
}
