/** @file A job from its request to the last byte of its result. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UpscalerOptions } from 'osediff';
import { sendEvent, sendPixels, startStream } from './answer.ts';
import { announcedLength, readJob, type Submitted } from './body.ts';
import { type Limits, Room } from './limits.ts';
import { JobQueue } from './queue.ts';
import { pack, unpack } from './samples.ts';
import { type Load, WarmModel } from './warm.ts';

/** What jobs share: the model, the order, the room. */
export class Jobs {
  readonly room: Room;
  readonly #place: Pick<UpscalerOptions, 'device' | 'precision'>;
  readonly #limits: Limits;
  readonly #model: WarmModel;
  readonly #queue = new JobQueue();

  /** @param place where models run */
  constructor(load: Load, place: Pick<UpscalerOptions, 'device' | 'precision'>, limits: Limits) {
    this.room = new Room(limits);
    this.#model = new WarmModel(load);
    this.#place = place;
    this.#limits = limits;
  }

  /**
   * Reads a job, waits for its turn, and streams what becomes of it.
   *
   * @param signal aborts when nobody is there any more to whom its result could go
   * @throws OsediffError for what is wrong with it, before or after the stream has begun
   */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const leave = this.room.take(announcedLength(request));
    try {
      const submitted = await readJob(request, (job) => this.room.checkResult(job));
      startStream(response);
      await this.#queue.run(
        () => this.#run(submitted, response, signal),
        signal,
        (ahead) => sendEvent(response, { event: 'queued', ahead }),
      );
    } finally {
      leave();
    }
  }

  /** Frees the model, once the jobs that were cancelled have let go of it. */
  async dispose(): Promise<void> {
    const { signal } = new AbortController();
    await this.#queue.run(
      () => this.#model.dispose(),
      signal,
      () => undefined,
    );
  }

  async #run(
    { job, pixels }: Submitted,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { type, model, loras, scale, detail, prompt, color, tile, overlap } = job;
    const { picture, beyond } = await unpack(pixels, job, signal);
    const result = await this.#model.upscale(
      { model, loras, ...this.#place },
      picture,
      {
        scale,
        detail,
        prompt,
        color,
        signal,
        ...(tile !== undefined && { tile }),
        ...(overlap !== undefined && { overlap }),
        onProgress: (progress) => sendEvent(response, { event: 'progress', ...progress }),
      },
      () => sendEvent(response, { event: 'loading', model }),
    );
    const { width, height, channels } = result;
    const bytes = await pack(result, job, beyond, signal);
    sendEvent(response, {
      event: 'result',
      width,
      height,
      channels,
      type,
      bytes: bytes.length,
    });
    await sendPixels(response, bytes, this.#limits.patience, signal);
    response.end();
  }
}
