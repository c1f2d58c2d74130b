/** @file What measures that are networks share: the parts they need, and pictures as planes. */
import { toPlanes, type Range } from '../image/picture.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Measure, Meter } from './measure.ts';
import { arithmeticMean } from './measure.ts';
import type { Runner } from './network.ts';
import { type OpenPart, openPart } from './part-store.ts';
import { type PartName, partOf } from './parts.ts';
import type { Rgb } from './rgb.ts';

/** What networks need of the rest of the program. */
export interface Networks {
  readonly runner: Runner;
  /** Parts that were imported. */
  readonly installed: ReadonlySet<PartName>;
}

/** A measure of networks before it is known what is installed. */
export interface NetworkMeasure extends Omit<Measure, 'open' | 'lacks'> {
  /** Parts it needs, in the order in which `start` takes them. */
  readonly needs: readonly PartName[];
  /** Prepares the networks. Parts are closed for it, when it is closed itself. */
  readonly start: (parts: readonly OpenPart[], runner: Runner) => Promise<NetworkMeter>;
}

/** A meter whose total is the mean unless it says otherwise. */
export type NetworkMeter = Pick<Meter, 'add' | 'close'> & Partial<Pick<Meter, 'total'>>;

/** A measure of networks as the others are; without `networks` it lacks everything. */
export function networkMeasure(measure: NetworkMeasure, networks: Networks | undefined): Measure {
  const { needs, start, ...description } = measure;
  const missing = needs.filter((name) => !networks?.installed.has(name));
  const lacks = missing.length > 0 ? lacking(missing) : undefined;
  return {
    ...description,
    ...(lacks !== undefined && { lacks }),
    async open() {
      const opened: OpenPart[] = [];
      const closeParts = async (): Promise<void> => {
        for (const part of opened) await part.close();
      };
      try {
        for (const name of needs) opened.push(await openPart(name));
        const meter = await start(opened, networks!.runner);
        return {
          total: (scores) => Promise.resolve(arithmeticMean(scores)),
          ...meter,
          async close() {
            await meter.close();
            await closeParts();
          },
        };
      } catch (error) {
        await closeParts();
        throw error;
      }
    },
  };
}

/** `VGG16's weights. Import them with "osediff model import --kind metric FILE".` */
function lacking(names: readonly PartName[]): string {
  const missing = names.map(partOf);
  const titles = missing.map(({ title }) => title).join(' and ');
  const commands = missing.map(({ file }) => `"osediff model import --kind metric ${file}"`);
  return `${titles}. Import them with ${commands.join(' and ')}.`;
}

/** A picture as networks take it. @returns `[1, 3, H, W]` */
export function planesOf(picture: Rgb, range: Range): Tensor<'float32'> {
  const { shape, data } = toPlanes({ ...picture, channels: 3 }, range);
  return tensor('float32', [1, ...shape], data);
}
