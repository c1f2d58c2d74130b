/** @file The graph under construction: values, nodes, weights to be bound later, and constants. */
import type { DType } from '../tensor/dtype.ts';
import { ShapeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Dim, printShape } from './dims.ts';
import { inferOutputs } from './infer.ts';
import { keepChannelsLast } from './layout.ts';
import type { OpAttributes, OpType } from './ops.ts';

/** A tensor that a checkpoint must hold for a {@link Weight} to be made. */
export interface WeightKey {
  /** As the checkpoint spells it, below the part's name: `unet.conv_in.weight`. */
  readonly key: string;
  readonly shape: readonly number[];
}

/**
 * A weight the graph asks for. Most are one tensor of the checkpoint as it stands; some are made of
 * several, where the network's inputs are known beforehand (a fixed timestep, a scalar factor).
 */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly sources: readonly WeightKey[];
  /** Computes the weight from `sources`, in their order. Absent: the one source is the weight. */
  readonly make?: (tensors: readonly Tensor<'float32'>[]) => Tensor<'float32'>;
}

/** A tensor in the graph: an input, a weight, a constant, or what a node computes. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  readonly node?: Node;
  readonly weight?: Weight;
  readonly constant?: Tensor;
}

/** One operator at work. `inputs` may hold gaps where ONNX lets an input be left out. */
export interface Node<K extends OpType = OpType> {
  readonly op: K;
  readonly name: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: OpAttributes[K];
  readonly output: Value;
}

/** Where a graph is to run, which decides the form that layers take (see providers.ts and layout.ts). */
export interface Target {
  readonly device: 'cpu' | 'webgpu' | 'cuda';
  /** Only operators with a gradient rule of their own are emitted. */
  readonly training: boolean;
  /** The UNet computes in float16, but for what overflows there; the VAE stays in float32. */
  readonly half: boolean;
}

/** Collects nodes in topological order, but for what {@link Graph.link} ties together later. */
export class Graph {
  readonly target: Target;
  readonly nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Map<string, Value> = new Map();
  readonly weights: Map<string, Value> = new Map();
  /** What each module of the network computes, by its path: `unet.mid_block.resnets.0`. */
  readonly modules: Map<string, Value> = new Map();
  /** Inputs that were declared before what gives them was built: see {@link Graph.link}. */
  readonly links: Map<Value, Value> = new Map();
  /** Keys that become inputs instead of weights, so that they can be trained. */
  readonly trainable: (key: string) => boolean;
  readonly #constants = new Map<string, Value>();
  readonly #names = new Map<string, number>();

  constructor(target: Partial<Target> = {}, trainable: (key: string) => boolean = () => false) {
    this.target = { device: 'cpu', training: false, half: false, ...target };
    this.trainable = trainable;
  }

  /** Declares an input. The same name twice gives the same value. */
  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const known = this.inputs.find((value) => value.name === name);
    if (known) return sameShape(known, shape);
    const value: Value = { graph: this, name: this.unique(name), dtype, shape };
    this.inputs.push(value);
    return value;
  }

  /** Declares a weight; asking for one name twice shares it. Trainable keys become inputs. */
  weight(weight: Weight): Value {
    const known = this.weights.get(weight.name);
    if (known) return sameShape(known, weight.shape);
    if (this.trainable(weight.name)) return this.input(weight.name, 'float32', weight.shape);
    const { name, shape } = weight;
    const value: Value = { graph: this, name: this.unique(name), dtype: 'float32', shape, weight };
    this.weights.set(name, value);
    return value;
  }

  /** A constant; small equal ones are shared. */
  constant(constant: Tensor): Value {
    const { dtype, shape, data } = constant;
    const key = data.length <= 16 ? `${dtype}[${shape.join()}]${data.join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known) return known;
    const value: Value = { graph: this, name: this.unique('constant'), dtype, shape, constant };
    if (key !== undefined) this.#constants.set(key, value);
    return value;
  }

  /**
   * Adds a node.
   *
   * @throws ShapeError when the inputs do not fit the operator.
   */
  add<K extends OpType>(
    op: K,
    inputs: readonly (Value | undefined)[],
    attributes: OpAttributes[K],
    path = '',
  ): Value {
    const { device, training } = this.target;
    if (device === 'cuda' && !training) {
      const kept = keepChannelsLast(this, op, inputs, attributes);
      if (kept) return kept;
    }
    const name = this.unique(path === '' ? op : `${path}/${op}`);
    const inferred = inferOutputs(op, inputs, attributes, name);
    const output = { graph: this, name, ...inferred } as { -readonly [P in keyof Value]: Value[P] };
    const node: Node<K> = { op, name, inputs, attributes, output };
    output.node = node;
    this.nodes.push(output.node);
    return output;
  }

  /** Names a value as an output of the graph. */
  output(name: string, value: Value): void {
    this.outputs.set(name, value);
  }

  /** Gives the input `from` the value `to`, which may depend on nodes that come after its uses. */
  link(from: Value, to: Value): void {
    this.links.set(from, to);
  }

  /** `name`, or `name_2` and so on when it is taken. */
  unique(name: string): string {
    const count = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, count);
    return count === 1 ? name : this.unique(`${name}_${count}`);
  }
}

function sameShape(value: Value, shape: readonly Dim[]): Value {
  if (printShape(value.shape) !== printShape(shape)) {
    throw new ShapeError(
      `graph: "${value.name}" is declared as ${printShape(value.shape)} and again as ${printShape(shape)}.`,
    );
  }
  return value;
}
