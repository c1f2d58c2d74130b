/** @file Parity of colour matching: `vectors/colour.safetensors`, in floats and in the official bytes. */
import { adain, fixColorOfBytes, wavelet } from '../../src/image/color-fix.ts';
import { type Picture, toPlanes } from '../../src/image/picture.ts';
import { lowFrequencies } from '../../src/image/wavelet.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { arraysOf, type Section } from './folder.ts';
import { compare } from './row.ts';

export const colour: Section = {
  files: /^vectors\/([a-z0-9]+_)?colour\.safetensors$/,
  inputs: /^(result|source)$/,
  async *rows(folder, file) {
    const arrays = arraysOf(folder, file);
    const results = pictures(arrays.get('result')!);
    const sources = pictures(arrays.get('source')!);
    for (const [key, want] of arrays) {
      const make = makers[key];
      if (!make) continue;
      const got = batch(results.map((result, n) => make(result, sources[n]!)));
      yield await Promise.resolve(
        compare(file, key, want, [got], key.endsWith('bytes') ? 0 : 1e-4),
      );
    }
  },
};

type Make = (result: Picture, source: Picture) => Tensor;

const makers: Readonly<Record<string, Make>> = {
  adain: (result, source) => adain(toPlanes(result, 'unit'), toPlanes(source, 'unit')),
  wavelet: (result, source) => wavelet(toPlanes(result, 'unit'), toPlanes(source, 'unit')),
  low_frequencies: (result) => {
    const planes = toPlanes(result, 'unit');
    const area = result.width * result.height;
    const data = new Float32Array(planes.data.length);
    for (let i = 0; i < data.length; i += area) {
      const plane = planes.data.subarray(i, i + area);
      data.set(lowFrequencies(plane, result.width, result.height), i);
    }
    return tensor('float32', planes.shape, data);
  },
  adain_bytes: (result, source) => bytes(fixColorOfBytes(result, source, 'adain')),
  wavelet_bytes: (result, source) => bytes(fixColorOfBytes(result, source, 'wavelet')),
};

/** Bytes `[N, 3, H, W]` as pictures. */
function pictures({ shape, data }: Tensor): Picture[] {
  const [n, , height, width] = shape as [number, number, number, number];
  const area = height * width;
  return Array.from({ length: n }, (_, i) => ({
    width,
    height,
    channels: 3,
    data: Uint8Array.from(
      { length: 3 * area },
      (_, k) => data[i * 3 * area + (k % 3) * area + Math.floor(k / 3)] as number,
    ),
  }));
}

/** A picture's bytes as planes `[3, H, W]`. */
function bytes({ width, height, data }: Picture): Tensor {
  const area = width * height;
  const planes = Uint8Array.from(
    { length: 3 * area },
    (_, i) => data[(i % area) * 3 + Math.floor(i / area)]!,
  );
  return tensor('uint8', [3, height, width], planes);
}

/** `[3, H, W]` each to `[N, 3, H, W]`. */
function batch(samples: readonly Tensor[]): Tensor {
  const { shape } = samples[0]!;
  const data = Float32Array.from(samples.flatMap((x) => Array.from(x.data, Number)));
  return tensor('float32', [samples.length, ...shape], data);
}
