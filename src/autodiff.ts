/** @file The public entry `osediff/autodiff`: build a graph, differentiate it, run and train it as ONNX. */
export * as op from './graph/functions.ts';
export { Graph } from './graph/graph.ts';
export type { Node, Target, Value, Weight, WeightKey } from './graph/graph.ts';
export type { Dim } from './graph/dims.ts';
export { scope } from './graph/scope.ts';
export type { Adapter, Adapters, Scope } from './graph/scope.ts';
export { emit } from './graph/emit.ts';
export type { EmitOptions, Emitted } from './graph/emit.ts';
export { bindWeights, selfContained } from './graph/bind.ts';
export type { ReadWeight } from './graph/bind.ts';

export { dependencies, gradients } from './autodiff/backward.ts';
export type { GradientOptions } from './autodiff/backward.ts';
export { after, stopGradient } from './autodiff/order.ts';
export { accumulate, AdamW, clipNorm, globalNorm, scale } from './autodiff/optimizer.ts';
export type { AdamState, AdamWOptions, Arrays } from './autodiff/optimizer.ts';
export { MovingAverage } from './autodiff/averages.ts';
export { rateAt } from './autodiff/rates.ts';
export type { RateOptions } from './autodiff/rates.ts';

export { activation, silu } from './nn/activation.ts';
export { attention } from './nn/attention.ts';
export { conv } from './nn/conv.ts';
export { linear } from './nn/linear.ts';
export { groupNorm, layerNorm } from './nn/norm.ts';

export { createSession } from './runtime/session.ts';
export type { Session, SessionOptions, Tensors } from './runtime/session.ts';
export { float32, tensor, zeros } from './tensor/tensor.ts';
export type { Tensor } from './tensor/tensor.ts';
export { encodeModel } from './onnx/model.ts';
export { DeviceError, ShapeError, UsageError, WeightError } from './tensor/errors.ts';
