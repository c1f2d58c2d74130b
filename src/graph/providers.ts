/**
 * @file Which execution provider of onnxruntime 1.30 has a kernel for which operator.
 *
 * Seen by running each (onnxruntime's own tables disagree in places); layers read this to pick their
 * form, so that no node silently falls back to another device.
 */
import type { OpType } from './ops.ts';

type Device = 'cpu' | 'webgpu' | 'cuda';

/** Operators of onnxruntime's own domain. */
export const contribOps: ReadonlySet<OpType> = new Set<OpType>([
  'QuickGelu',
  'MultiHeadAttention',
  'NhwcConv',
  'GroupNorm',
]);

/** Operators that ONNX has since opset 23; a model without them stays at 21. */
export const newOps: ReadonlySet<OpType> = new Set<OpType>(['Attention']);

/** What a provider lacks, or computes wrongly. */
const lacking: { readonly [D in Device]: ReadonlySet<OpType> } = {
  cpu: new Set<OpType>(['NhwcConv', 'GroupNorm']),
  // MultiHeadAttention gives wrong values for heads of 32 and 64 (seen on software Vulkan).
  webgpu: new Set<OpType>(['MultiHeadAttention', 'Attention', 'NhwcConv', 'GroupNorm']),
  cuda: new Set(),
};

/** Whether `op` runs on `device`, and runs right. */
export function supports(device: Device, op: OpType): boolean {
  return !lacking[device].has(op);
}
