/** @file From a prompt to the keys and values that every tile attends to, computed once per picture. */
import { join } from 'node:path';
import { Graph, type Value } from '../graph/graph.ts';
import { scope } from '../graph/scope.ts';
import { clipText } from '../networks/clip-text.ts';
import { embeddedText, type TextContext } from '../networks/transformer.ts';
import { unet } from '../networks/unet.ts';
import { type Provider, providerOf } from '../runtime/provider.ts';
import type { Session, Tensors } from '../runtime/session.ts';
import { tensor } from '../tensor/tensor.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { compile, type CompileOptions } from './compile.ts';
import type { Model } from './model.ts';

/** Encodes prompts; the last one is remembered. */
export interface PromptEncoder {
  /** Inputs of the generator, by name; none where prompts have no part in the model. */
  encode(prompt: string): Promise<Tensors>;
  /** The text embedding `[1, 77, D]`. */
  embed(prompt: string): Promise<Tensors[string]>;
}

/** @param model of which the text encoder and the UNet's projections are loaded for each new prompt */
export function promptEncoder(model: Model, options: CompileOptions): PromptEncoder {
  const provider = providerOf(options.device);
  let last: { prompt: string; inputs: Tensors } | undefined;
  const encoder: PromptEncoder = {
    async encode(prompt) {
      if (!model.config.text) return {};
      if (last?.prompt !== prompt) {
        const embedding = await encoder.embed(prompt);
        const inputs = await once(await compile(projections(model, provider), model, options), {
          embedding,
        });
        last = { prompt, inputs };
      }
      return last.inputs;
    },
    async embed(prompt) {
      const tokenizer = await loadTokenizer(join(model.folder, 'tokenizer'));
      const { ids } = tokenizer.encode(prompt);
      const input_ids = tensor('int64', [1, ids.length], ids);
      const session = await compile(textGraph(model, provider), model, options);
      return (await once(session, { input_ids }))['embedding']!;
    },
  };
  return encoder;
}

/** Runs a session for its only time, so that its weights do not stay in memory. */
async function once(session: Session, feeds: Tensors): Promise<Tensors> {
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function textGraph({ config }: Model, device: Provider): Graph {
  const text = config.text!;
  const graph = new Graph({ device });
  const ids = graph.input('input_ids', 'int64', [1, text.positions]);
  graph.output('embedding', clipText(scope(graph, 'text_encoder'), ids, text));
  return graph;
}

/** A graph of nothing but the UNet's projections of the text to keys and values. */
function projections({ config }: Model, device: Provider): Graph {
  const { unet: u, timestep } = config.generator;
  const graph = new Graph({ device });
  const shape = [1, config.text!.positions, u.crossAttentionDim];
  const text = embeddedText(graph.input('embedding', 'float32', shape));
  const named = (name: string, key: string, value: Value): Value => {
    graph.output(`${key}.${name}`, value);
    return value;
  };
  const recording: TextContext = {
    keys: (s, width) => named('k', s.path, text.keys(s, width)),
    values: (s, width) => named('v', s.path, text.values(s, width)),
  };
  const side = 2 ** (u.blockOutChannels.length - 1);
  const z = graph.input('z', 'float32', [1, u.inChannels, side, side]);
  unet(scope(graph, 'unet'), z, timestep, recording, u);
  return graph;
}
