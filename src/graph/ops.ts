/** @file The operators that networks and their gradients are made of, with the attributes of each. */

/** Attributes by operator, spelled as in ONNX (https://onnx.ai/onnx/operators, opset 21). */
export interface OpAttributes {
  // elementwise, with broadcasting
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Max: None;
  Min: None;
  Where: None;
  Equal: None;
  Greater: None;
  Less: None;
  // elementwise, one input
  Neg: None;
  Abs: None;
  Sign: None;
  Sqrt: None;
  Reciprocal: None;
  Exp: None;
  Log: None;
  Sin: None;
  Cos: None;
  Erf: None;
  Tanh: None;
  Sigmoid: None;
  Softplus: None;
  Relu: None;
  LeakyRelu: { alpha: number };
  Gelu: { approximate: 'none' | 'tanh' };
  QuickGelu: { alpha: number };
  Floor: None;
  Cast: { to: number };
  Identity: None;
  // shape
  Shape: None;
  Reshape: None;
  Expand: None;
  Transpose: { perm: readonly number[] };
  Concat: { axis: number };
  Slice: None;
  Pad: { mode: 'constant' | 'reflect' | 'edge' };
  Gather: { axis: number };
  SpaceToDepth: { blocksize: number };
  DepthToSpace: { blocksize: number; mode: 'DCR' | 'CRD' };
  Resize: ResizeAttributes;
  // sums and products
  ReduceSum: { keepdims: 0 | 1 };
  ReduceMean: { keepdims: 0 | 1 };
  ReduceMax: { keepdims: 0 | 1 };
  MatMul: None;
  Softmax: { axis: number };
  // layers
  Conv: ConvAttributes;
  ConvTranspose: ConvTransposeAttributes;
  MaxPool: PoolAttributes;
  AveragePool: PoolAttributes & { count_include_pad: 0 | 1 };
  InstanceNormalization: { epsilon: number };
  LayerNormalization: { axis: number; epsilon: number };
  MultiHeadAttention: { num_heads: number; scale: number };
  // the forms of CUDA, for inference: pictures are [N, H, W, C]
  Attention: { q_num_heads: number; kv_num_heads: number; scale: number };
  NhwcConv: ConvAttributes;
  GroupNorm: { groups: number; epsilon: number; activation: 0 | 1; channels_last: 1 };
}

export type OpType = keyof OpAttributes;

/** No attributes. */
type None = { readonly [name in never]: never };

/** `pads` lists top, left, bottom, right; they may differ. */
export interface ConvAttributes {
  kernel_shape: readonly [number, number];
  strides: readonly [number, number];
  pads: readonly [number, number, number, number];
  dilations: readonly [number, number];
  group: number;
}

export interface ConvTransposeAttributes extends ConvAttributes {
  output_padding: readonly [number, number];
}

export interface PoolAttributes {
  kernel_shape: readonly [number, number];
  strides: readonly [number, number];
  pads: readonly [number, number, number, number];
}

/** Nearest by whole factors is the only form that networks use today. */
export interface ResizeAttributes {
  mode: 'nearest' | 'linear';
  coordinate_transformation_mode: 'asymmetric' | 'half_pixel' | 'align_corners';
  nearest_mode: 'floor';
}

/** How each attribute is written; a name means the same in every operator. */
export const attributeKinds: { readonly [name: string]: 'int' | 'float' | 'string' | 'ints' } = {
  activation: 'int',
  alpha: 'float',
  approximate: 'string',
  axis: 'int',
  blocksize: 'int',
  channels_last: 'int',
  coordinate_transformation_mode: 'string',
  count_include_pad: 'int',
  dilations: 'ints',
  epsilon: 'float',
  group: 'int',
  groups: 'int',
  keepdims: 'int',
  kernel_shape: 'ints',
  kv_num_heads: 'int',
  mode: 'string',
  nearest_mode: 'string',
  num_heads: 'int',
  output_padding: 'ints',
  pads: 'ints',
  perm: 'ints',
  q_num_heads: 'int',
  scale: 'float',
  strides: 'ints',
  to: 'int',
};
