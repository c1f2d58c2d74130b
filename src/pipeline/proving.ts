/** @file A small model that a device must compute rightly before pictures are given to it. */
import { add } from '../graph/functions.ts';
import { emit } from '../graph/emit.ts';
import { selfContained } from '../graph/bind.ts';
import { Graph, type Target } from '../graph/graph.ts';
import { scope } from '../graph/scope.ts';
import { silu } from '../nn/activation.ts';
import { attention } from '../nn/attention.ts';
import { conv } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import { groupNorm } from '../nn/norm.ts';
import { picture, tokensOf } from '../nn/tokens.ts';
import { providerOf } from '../runtime/provider.ts';
import { createSession, type Session, type Tensors } from '../runtime/session.ts';
import { elementCount, float32, type Tensor } from '../tensor/tensor.ts';

/** What came of a trial. */
export interface Proof {
  readonly right: boolean;
  /** Why not, in a sentence without its full stop. */
  readonly reason?: string;
  /** Seconds of a run, warmed up; of the processor's beside it. */
  readonly seconds?: number;
  readonly processor?: number;
}

/** A device whose result is further off than this, relative to its length, computes wrongly. */
export const provingTolerance = 5e-3;

const channels = 64;
const side = 32;

/**
 * A residual block and attention, from the very layers that networks are made of, in the form that
 * they take on the device: convolution, group norm with SiLU, attention of heads of 32 channels.
 */
export function provingGraph(device: Target['device']): Graph {
  const graph = new Graph({ device });
  const x = graph.input('x', 'float32', [1, channels, side, side]);
  const s = scope(graph, 'proving');
  const h = silu(groupNorm(s.at('norm'), x, { groups: 32, epsilon: 1e-6 }));
  const y = add(x, conv(s.at('conv'), h, channels, { kernel: 3 }));
  const tokens = tokensOf(y);
  const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(s.at(name), tokens, channels));
  const a = attention(q!, k!, v!, 2);
  // No residual here: it would hide an attention that is off by a few parts in a hundred.
  const z = picture(linear(s.at('out'), a, channels), y);
  graph.output('y', conv(s.at('last'), z, channels, { kernel: 3 }));
  return graph;
}

/** Numbers in [-size, size] that look random and are the same everywhere. */
function noise(shape: readonly number[], size: number, seed: number): Tensor<'float32'> {
  let state = seed;
  const count = elementCount(shape);
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return size * (state / 2 ** 31 - 1);
  };
  return float32(shape, Array.from({ length: count }, next));
}

/** Weights that keep the size of what they are given. */
function weights(shape: readonly number[], seed: number): Tensor<'float32'> {
  const fan = elementCount(shape.slice(1));
  return noise(shape, shape.length > 1 ? Math.sqrt(3 / fan) : 1, seed);
}

/** The proving model's session on a device. */
export async function provingSession(device: string, graph: Graph): Promise<Session> {
  const shapes = new Map(
    [...graph.weights.values()].flatMap(({ weight }) =>
      weight!.sources.map(({ key, shape }) => [key, shape] as const),
    ),
  );
  const order = [...shapes.keys()].sort();
  const read = async (key: string): Promise<Tensor<'float32'>> =>
    Promise.resolve(weights(shapes.get(key)!, order.indexOf(key)));
  const model = await selfContained(emit(graph, { file: 'weights' }), read);
  return createSession(model, { device });
}

/** What the proving model is fed: large enough that attention is far from even. */
export function provingFeeds(): Tensors {
  return { x: noise([1, channels, side, side], 3, 99) };
}

/**
 * Tries a device in this thread; a provider may end the process, so callers do this in one of its own.
 *
 * @param open makes the device's session
 */
export async function prove(
  device: string,
  open: (device: string, graph: Graph) => Promise<Session> = provingSession,
): Promise<Proof> {
  const feeds = provingFeeds();
  const reference = await timed(await provingSession('cpu', provingGraph('cpu')), feeds);
  try {
    const session = await open(device, provingGraph(providerOf(device)));
    const { seconds, y } = await timed(session, feeds);
    const off = relativeError(y, reference.y);
    const times = { seconds, processor: reference.seconds };
    if (off <= provingTolerance) return { right: true, ...times };
    return { right: false, reason: `it computes wrongly (off by ${off.toPrecision(2)})`, ...times };
  } catch (error) {
    const { message } = error as Error;
    return { right: false, reason: message.replace(/^\S+: onnxruntime [^:]*: /, '') };
  }
}

/** A warmed-up run. */
async function timed(session: Session, feeds: Tensors): Promise<{ seconds: number; y: Tensor }> {
  try {
    await session.run(feeds);
    const start = performance.now();
    const { y } = await session.run(feeds);
    return { seconds: (performance.now() - start) / 1000, y: y! };
  } finally {
    await session.release();
  }
}

/** `|a - b| / |b|`; infinite where a value is no number. */
export function relativeError(a: Tensor, b: Tensor): number {
  let [difference, size] = [0, 0];
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  for (let i = 0; i < y.length; i++) {
    difference += (x[i]! - y[i]!) ** 2;
    size += y[i]! ** 2;
  }
  const error = Math.sqrt(difference / size);
  return Number.isFinite(error) ? error : Infinity;
}
