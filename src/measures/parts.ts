/** @file The networks that measures are made of: the official file of each, and what tells it from others. */
import { alexLpips } from '../networks/alex-lpips.ts';
import { clipConfig } from '../networks/clip-config.ts';
import { antonyms, clipIqa, textDirections } from '../networks/clip-iqa.ts';
import { inception, inceptionSize } from '../networks/inception.ts';
import { maniqa } from '../networks/maniqa.ts';
import { maniqaConfig } from '../networks/maniqa-config.ts';
import { musiq, musiqConfig } from '../networks/musiq.ts';
import { type Required, requiredBy } from '../networks/required.ts';
import { lpips, vgg16Widths } from '../networks/vgg-lpips.ts';
import { UsageError } from '../tensor/errors.ts';
import { cropSize } from './maniqa-crops.ts';

/** A network, or a set of numbers, that one official file holds. */
export interface Part {
  /** What it is called in the store. */
  readonly name: PartName;
  /** What its numbers are, as the beginning of a sentence has it. */
  readonly title: string;
  /** The official file. */
  readonly file: string;
  /** How the sha256 of the official file begins, where others hold the same keys and shapes. */
  readonly hash?: string;
  /** What names its file, where it is no official one. */
  readonly word?: RegExp;
  /** Whether a file with these shapes is one of this part. */
  fits(shapes: Required): boolean;
  /** Shape of each weight that the network asks for. */
  wanted(shapes: Required): Required;
  /** Keys of the file that are of no use here. */
  readonly useless: RegExp;
}

/** All parts by name. */
export type PartName =
  | 'alexnet'
  | 'vgg16'
  | 'dists'
  | 'inception'
  | 'clip-rn50'
  | `musiq-${'koniq' | 'spaq' | 'paq2piq' | 'ava'}`
  | `maniqa-${'pipal' | 'koniq' | 'kadid'}`;

const nothing = /$^/;

function trunkOf(required: Required): Required {
  const trunk = [...required].filter(([key]) => key.startsWith('trunk.'));
  return new Map(trunk.map(([key, shape]) => [key.replace('trunk.', 'features.'), shape]));
}

const alexnet: Part = {
  name: 'alexnet',
  title: "AlexNet's weights",
  file: 'alexnet-owt-7be5be79.pth',
  fits: (shapes) => is(shapes, 'features.0.weight', [64, 3, 11, 11]),
  wanted: () =>
    trunkOf(
      requiredBy((s, graph) => {
        const x = graph.input('x', 'float32', [1, 3, 64, 64]);
        alexLpips(s, x, x);
      }),
    ),
  useless: /^classifier\./,
};

const vgg16: Part = {
  name: 'vgg16',
  title: "VGG16's weights",
  file: 'vgg16-397923af.pth',
  fits: (shapes) => is(shapes, 'features.0.weight', [64, 3, 3, 3]),
  wanted: () =>
    trunkOf(
      requiredBy((s, graph) => {
        const x = graph.input('x', 'float32', [1, 3, 64, 64]);
        lpips(s, x, x);
      }),
    ),
  useless: /^classifier\./,
};

const channels = [3, ...vgg16Widths].reduce((sum, width) => sum + width);

const dists: Part = {
  name: 'dists',
  title: "DISTS' alpha and beta",
  file: 'DISTS_weights-f5e65c96.pth',
  fits: (shapes) => shapes.has('alpha') && shapes.has('beta'),
  wanted: () => new Map(['alpha', 'beta'].map((key) => [key, [1, channels, 1, 1]])),
  useless: nothing,
};

const inceptionV3: Part = {
  name: 'inception',
  title: "InceptionV3's weights",
  file: 'pt_inception-2015-12-05-6726825d.pth',
  fits: (shapes) => shapes.has('Mixed_7c.branch_pool.conv.weight'),
  wanted(shapes) {
    if (shapes.has('AuxLogits.fc.weight')) {
      throw new UsageError(
        `FID: expected TensorFlow's InceptionV3, got torchvision's, whose features are others. Give ${this.file}.`,
      );
    }
    return requiredBy((s, graph) => {
      inception(s, graph.input('x', 'float32', [1, 3, inceptionSize, inceptionSize]));
    });
  },
  useless: /^fc\.|\.num_batches_tracked$/,
};

const clip: Part = {
  name: 'clip-rn50',
  title: "CLIP's weights",
  file: 'RN50.pt',
  fits: (shapes) => shapes.has('visual.attnpool.c_proj.weight'),
  wanted: (shapes) => {
    const config = clipConfig(shapes, 'clip');
    return requiredBy((s, graph) => {
      const x = graph.input('x', 'float32', [1, 3, 64, 64]);
      clipIqa(s, x, textDirections(s, antonymIds(), config), config);
    });
  },
  useless:
    /\.num_batches_tracked$|^visual\.attnpool\.positional_embedding$|^(input_resolution|context_length|vocab_size)$/,
};

/** The tokens of the antonyms, filled up with zeros to one length. */
export function antonymIds(length?: number): readonly (readonly number[])[] {
  const longest = length ?? Math.max(...antonyms.map(({ ids }) => ids.length));
  return antonyms.map(({ ids }) => Array.from({ length: longest }, (_, i) => ids[i] ?? 0));
}

function musiqPart(set: 'koniq' | 'spaq' | 'paq2piq' | 'ava', hash: string): Part {
  return {
    name: `musiq-${set}`,
    title: `MUSIQ's weights for ${set}`,
    file: `musiq_${set}_ckpt-${hash}.pth`,
    hash,
    word: new RegExp(set, 'i'),
    fits: (shapes) =>
      shapes.has('transformer_encoder.scaleembed_input.scale_emb') &&
      shapes.has('head.0.weight') === (set === 'ava'),
    wanted: (shapes) => {
      const config = musiqConfig(shapes, 'musiq');
      return requiredBy((s, graph) => {
        const patches = graph.input('patches', 'float32', ['t', 3, config.patch, config.patch]);
        const [places, scales] = ['places', 'scales'].map((name) =>
          graph.input(name, 'int64', ['t']),
        ) as [typeof patches, typeof patches];
        musiq(s, { patches, places, scales, mask: graph.input('mask', 'float32', ['t']) }, config);
      });
    },
    useless: nothing,
  };
}

function maniqaPart(set: 'pipal' | 'koniq' | 'kadid', file: string, hash?: string): Part {
  return {
    name: `maniqa-${set}`,
    title: `MANIQA's weights for ${set}`,
    file,
    ...(hash !== undefined && { hash }),
    word: new RegExp(set, 'i'),
    fits: (shapes) => shapes.has('tablock1.0.c_q.weight') && shapes.has('vit.pos_embed'),
    wanted: (shapes) => {
      const config = maniqaConfig(shapes, 'maniqa', { scale: 1, heads: 1 });
      return requiredBy((s, graph) => {
        maniqa(s, graph.input('x', 'float32', [1, 3, cropSize, cropSize]), config);
      });
    },
    useless:
      /^vit\.(norm|head|blocks\.1[01])\.|^swintransformer[12]\.downsample\.|\.(attn_mask|relative_position_index)$/,
  };
}

function is(shapes: Required, key: string, shape: readonly number[]): boolean {
  return shapes.get(key)?.join() === shape.join();
}

/** Of parts of the same keys and shapes, the first is the one that files without a name are taken for. */
export const parts: readonly Part[] = [
  alexnet,
  vgg16,
  dists,
  inceptionV3,
  clip,
  musiqPart('koniq', 'e95806b9'),
  musiqPart('spaq', '358bb6af'),
  musiqPart('paq2piq', '364c0c84'),
  musiqPart('ava', 'e8d3f067'),
  maniqaPart('pipal', 'MANIQA_PIPAL-ae6d356b.pth', 'ae6d356b'),
  maniqaPart('koniq', 'ckpt_koniq10k.pt'),
  maniqaPart('kadid', 'ckpt_kadid10k.pt'),
];

/** The part of that name. */
export function partOf(name: PartName): Part {
  return parts.find((part) => part.name === name)!;
}
