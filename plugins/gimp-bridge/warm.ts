/** @file Keeps the model of the last job loaded for the next one. */
import { DeviceError, OsediffError, type Picture, type Upscaler } from 'osediff';
import type { UpscaleOptions, UpscalerOptions } from 'osediff';

/** Loads a model: `loadUpscaler`, unless a test brings its own. */
export type Load = (options: UpscalerOptions) => Promise<Upscaler>;

/** At most one loaded model, changed when a job asks for another. */
export class WarmModel {
  readonly #load: Load;
  #key: string | undefined;
  #upscaler: Upscaler | undefined;

  constructor(load: Load) {
    this.#load = load;
  }

  /**
   * Upscales with a model, loaded before if need be.
   *
   * @param onLoading called when it has to be loaded
   */
  async upscale(
    model: UpscalerOptions,
    picture: Picture,
    options: UpscaleOptions & { readonly signal: AbortSignal },
    onLoading: () => void,
  ): Promise<Picture> {
    const key = JSON.stringify(model);
    if (this.#key !== key || !this.#upscaler) {
      onLoading();
      await this.dispose();
      this.#upscaler = await this.#load(model);
      this.#key = key;
      options.signal.throwIfAborted(); // loading does not stop for it
    }
    try {
      return await this.#upscaler.upscale(picture, options);
    } catch (error) {
      // A model whose thread or device is gone fails for ever; the next job loads it anew.
      const broken = !(error instanceof OsediffError) || error instanceof DeviceError;
      if (broken && !options.signal.aborted) await this.dispose();
      throw error;
    }
  }

  /** Frees the model. */
  async dispose(): Promise<void> {
    const upscaler = this.#upscaler;
    this.#upscaler = undefined;
    await upscaler?.dispose();
  }
}
