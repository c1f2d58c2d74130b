/** @file Text encoder of Stable Diffusion (CLIP, Radford 2021; transformers CLIPTextModel). */
import { add, gather, reshape } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { activation } from '../nn/activation.ts';
import { attention } from '../nn/attention.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import { ConfigError } from '../tensor/errors.ts';
import { float32 } from '../tensor/tensor.ts';
import { ConfigReader, type Json } from './config.ts';

export interface ClipTextConfig {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly positions: number;
  readonly activation: string;
  readonly epsilon: number;
}

/** Reads `text_encoder/config.json`. @throws ConfigError for a variant that is not built */
export function clipTextConfig(json: Json, where: string): ClipTextConfig {
  const c = new ConfigReader(json, where);
  const config: ClipTextConfig = {
    hidden: c.integer('hidden_size', 512),
    intermediate: c.integer('intermediate_size', 2048),
    layers: c.integer('num_hidden_layers', 12),
    heads: c.integer('num_attention_heads', 8),
    vocabulary: c.integer('vocab_size', 49408),
    positions: c.integer('max_position_embeddings', 77),
    activation: c.string('hidden_act', 'quick_gelu'),
    epsilon: c.number('layer_norm_eps', 1e-5),
  };
  activation(config.activation, where);
  if (config.hidden % config.heads !== 0) {
    throw new ConfigError(
      `${where}: expected "num_attention_heads" to divide "hidden_size" ${config.hidden}, got ${config.heads}.`,
    );
  }
  return config;
}

/**
 * The embedding of a prompt.
 *
 * @param s scope `text_encoder`
 * @param ids token ids `[N, 77]`, int64
 * @param onLayer called with the embeddings (0) and the output of each layer, for inspection
 * @returns `[N, 77, hidden]`, after the final layer norm
 */
export function clipText(
  s: Scope,
  ids: Value,
  config: ClipTextConfig,
  onLayer?: (layer: number, h: Value) => void,
): Value {
  const { hidden, positions, epsilon } = config;
  const root = s.at('text_model');
  const tokens = root
    .at('embeddings', 'token_embedding')
    .weight('weight', [config.vocabulary, hidden]);
  const places = root.at('embeddings', 'position_embedding').weight('weight', [positions, hidden]);
  let h = add(gather(tokens, ids), reshape(places, [1, positions, hidden]));
  onLayer?.(0, h);
  const mask = causalMask(s, positions);
  for (let i = 0; i < config.layers; i++) {
    h = encoderLayer(root.at('encoder', 'layers', i), h, mask, config);
    onLayer?.(i + 1, h);
  }
  return layerNorm(root.at('final_layer_norm'), h, epsilon);
}

/** Minus infinity, as far as float32 goes, above the diagonal. Padding is attended to, as in training. */
function causalMask(s: Scope, length: number): Value {
  const data = new Float32Array(length * length);
  for (let q = 0; q < length; q++) data.fill(-3.4e38, q * length + q + 1, (q + 1) * length);
  return s.graph.constant(float32([length, length], data));
}

function encoderLayer(s: Scope, x: Value, mask: Value, config: ClipTextConfig): Value {
  const { hidden, intermediate, heads, epsilon } = config;
  const normal = layerNorm(s.at('layer_norm1'), x, epsilon);
  const a = s.at('self_attn');
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    linear(a.at(name), normal, hidden),
  );
  const h = add(x, linear(a.at('out_proj'), attention(q!, k!, v!, heads, mask), hidden));
  const wide = linear(s.at('mlp', 'fc1'), layerNorm(s.at('layer_norm2'), h, epsilon), intermediate);
  const act = activation(config.activation, s.path);
  return add(h, linear(s.at('mlp', 'fc2'), act(wide), hidden));
}
