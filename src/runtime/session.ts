/** @file A model at work on onnxruntime, in this thread. */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { DType } from '../tensor/dtype.ts';
import { DeviceError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { explainProviderError } from './cuda-errors.ts';
import { loadOrt } from './ort.ts';
import { providerOf } from './provider.ts';

/** Inputs or outputs by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

export interface Session {
  /** Computes the outputs; which ones may be narrowed down. */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors>;
  release(): Promise<void>;
}

export interface SessionOptions {
  /** `cpu`, `webgpu`, `cuda` or `cuda:N`. */
  readonly device?: string;
  /** CPU threads; onnxruntime's choice by default. */
  readonly threads?: number;
  /**
   * `fast` lays weights out anew for speed, in memory of their own; `mapped` leaves them in their
   * file, so that they take no more memory than is touched, and keeps float16 weights narrow.
   */
  readonly weights?: 'fast' | 'mapped';
  /** Keeps nodes that compute the same apart, as recomputed segments need. */
  readonly keepDuplicates?: boolean;
}

/** A model: a file, whose weights may lie beside it, or bytes that hold everything. */
export type ModelSource = string | Uint8Array;

/**
 * Prepares a model.
 *
 * @throws DeviceError when the device or the model is refused.
 */
export async function createSession(
  source: ModelSource,
  options: SessionOptions = {},
): Promise<Session> {
  const ort = await loadOrt();
  const { device = 'cpu' } = options;
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(source as string, sessionOptions(options));
  } catch (cause) {
    throw refusal(device, 'refused the model', cause);
  }
  return {
    async run(feeds, outputs = session.outputNames) {
      const inputs: Record<string, OrtTensor> = {};
      for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
        inputs[name] = new ort.Tensor(dtype as 'float32', data as Float32Array, shape);
      }
      let results: InferenceSession.ReturnType;
      try {
        results = await session.run(inputs, [...outputs]);
      } catch (cause) {
        throw refusal(device, 'failed', cause);
      }
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, fromOrt(value)]),
      );
    },
    release: () => session.release(),
  };
}

function fromOrt({ type, dims, data }: OrtTensor): Tensor {
  return { dtype: type as DType, shape: dims, data: data as Float32Array };
}

function refusal(device: string, what: string, cause: unknown): DeviceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const why = providerOf(device) === 'cpu' ? text.split('\n')[0]! : explainProviderError(text);
  return new DeviceError(`${device}: onnxruntime ${what}: ${why}`, { cause });
}

function sessionOptions(options: SessionOptions): InferenceSession.SessionOptions {
  const { device = 'cpu', threads, weights = 'fast', keepDuplicates = false } = options;
  const mapped = weights === 'mapped';
  // ConstantFolding would widen float16 weights beforehand, and keep both copies.
  const disabled = [
    ...(mapped ? ['ConstantFolding'] : []),
    ...(keepDuplicates ? ['CommonSubexpressionElimination'] : []),
  ];
  return {
    executionProviders: [provider(device)],
    graphOptimizationLevel: mapped ? 'extended' : 'all',
    // The arena keeps its peak for ever, and memory patterns plan for shapes that come only once.
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: 4,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: {
      session: { disable_prepacking: mapped ? '1' : '0' },
      ...(disabled.length > 0
        ? { optimization: { disable_specified_optimizers: disabled.join(';') } }
        : {}),
    },
  };
}

function provider(device: string): InferenceSession.ExecutionProviderConfig {
  const [name, index] = device.split(':');
  return name === 'cuda' ? { name: 'cuda', deviceId: Number(index ?? 0) } : name!;
}
