/** @file Parity of the text encoder, layer by layer: `vectors/text_encoder.safetensors`. */
import { scope } from '../../src/graph/scope.ts';
import { clipText } from '../../src/networks/clip-text.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { arraysOf, bothForms, has, modelName, modelOf, run, type Section } from './folder.ts';
import { compare } from './row.ts';

export const textEncoder: Section = {
  files: /^vectors\/([a-z0-9]+_)?text_encoder\.safetensors$/,
  inputs: /^input_ids$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const model = await modelOf(folder, modelName(file));
    const arrays = arraysOf(folder, file);
    const input_ids = arrays.get('input_ids')!;
    const results: Tensors[] = [];
    for (const form of bothForms) {
      const result = await run(folder, model, form, { input_ids }, (graph) => {
        const ids = graph.input('input_ids', 'int64', input_ids.shape);
        const s = scope(graph, 'text_encoder');
        const last = clipText(s, ids, model.config.text!, (layer, h) => {
          graph.output(`layer.${layer}`, h);
        });
        graph.output('last_hidden_state', last);
      });
      results.push(result);
    }
    for (const [key, want] of arrays) {
      if (!/^(layer\.\d+|last_hidden_state)$/.test(key)) continue;
      yield compare(
        file,
        key,
        want,
        results.map((result) => result[key]),
        folder.tolerance,
      );
    }
  },
};
