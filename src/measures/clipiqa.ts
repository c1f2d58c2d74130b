/** @file CLIP-IQA as a measure: the texts are looked at once, pictures at their own size. */
import { scope } from '../graph/scope.ts';
import { clipConfig } from '../networks/clip-config.ts';
import { clipIqa, textDirections } from '../networks/clip-iqa.ts';
import { network } from './network.ts';
import { type NetworkMeasure, planesOf } from './network-measure.ts';
import { requireSide } from './pair-meter.ts';
import { antonymIds } from './parts.ts';

/** CLIP-IQA with five pairs of words. */
export const clipiqa: NetworkMeasure = {
  name: 'clipiqa',
  title: 'CLIPIQA',
  better: 'higher',
  needsReference: false,
  digits: 4,
  needs: ['clip-rn50'],
  start: async ([part], runner) => {
    const config = clipConfig(part!.shapes, 'clip-rn50');
    const texts = network(runner, part!, (graph) =>
      graph.output('directions', textDirections(scope(graph, ''), antonymIds(), config)),
    );
    const { directions } = await texts.run({});
    await texts.release();
    const net = network(runner, part!, (graph, inputs) => {
      const { score } = clipIqa(scope(graph, ''), inputs['x']!, inputs['directions']!, config);
      graph.output('score', score);
    });
    return {
      close: () => net.release(),
      async add(result) {
        requireSide(result, 32);
        const feeds = { x: planesOf(result, 'unit'), directions: directions! };
        return Number((await net.run(feeds))['score']!.data[0]);
      },
    };
  },
};
