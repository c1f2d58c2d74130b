/** @file The kinds of files that are taken, each with how it is checked and how it is upscaled. */
import { film } from './film.ts';
import { isFilm } from './names.ts';
import { Refused, type Kind, type Upscaled } from './kind.ts';

const picture: Kind = {
  async check({ file, result, manner: { upscale, write = {}, captions = false } }) {
    const { readToEnd } = await import('../pipeline/read-to-end.ts');
    return readToEnd(file, { output: result, size: upscale, rules: write, captions });
  },
  async upscale({ file, result, manner }, { load, onProgress }) {
    const { upscaleFiles } = await import('../pipeline/batch.ts');
    const { upscale, write = {}, captions = false } = manner;
    const upscaled: Upscaled[] = [];
    const failures: unknown[] = [];
    await upscaleFiles([file], {
      out: result,
      overwrite: true, // what an earlier try may have left under this hidden name
      load,
      upscale,
      rules: write,
      captions,
      listener: {
        onProgress(_, { phase, done, total }) {
          if (phase === 'tiles') onProgress(done / Math.max(1, total));
        },
        onDone: (_, { width, height }) => upscaled.push({ width, height }),
        onFailed: (_, error) => failures.push(error),
      },
    });
    const [done] = upscaled;
    if (!done) throw new Refused('the file was refused', { cause: failures[0] });
    return { ...done, device: (await load()).model.device };
  },
};

/** The kind of a file, by its name. */
export function kindOf(file: string): Kind {
  return isFilm(file) ? film : picture;
}
