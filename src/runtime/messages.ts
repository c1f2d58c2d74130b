/** @file What the engine and its worker say to each other. */
import type { ModelSource, SessionOptions, Tensors } from './session.ts';

export type Request =
  | {
      readonly kind: 'load';
      readonly id: number;
      readonly source: ModelSource;
      readonly options: SessionOptions;
    }
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly session: number;
      readonly feeds: Tensors;
      readonly outputs?: readonly string[];
    }
  | { readonly kind: 'release'; readonly id: number; readonly session: number };

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: number | Tensors | undefined }
  | { readonly id: number; readonly ok: false; readonly name: string; readonly message: string };
