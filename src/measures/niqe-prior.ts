/** @file The natural prior of NIQE: the published numbers, and files that hold them. */
import { readFileSync } from 'node:fs';
import { explainPathError } from '../image/path-errors.ts';
import { FormatError } from '../tensor/errors.ts';
import { readNpz } from './npz.ts';

/** How many statistics a block has. */
export const features = 36;

/** A multivariate Gaussian of block statistics: of pristine pictures, the prior. */
export interface Gaussian {
  /** `[36]` */
  readonly mean: Float64Array;
  /** `[36, 36]`, row-major */
  readonly covariance: Float64Array;
}

/**
 * The prior that published scores are taken against: made from 125 pristine photographs by the
 * authors of NIQE (LIVE, The University of Texas at Austin).
 */
export function publishedPrior(): Gaussian {
  const bytes = Buffer.from(published.join(''), 'base64');
  const at = (i: number): number => bytes.readFloatLE(4 * i);
  const mean = Float64Array.from({ length: features }, (_, i) => at(i));
  const covariance = Float64Array.from({ length: features ** 2 }, (_, i) => {
    const [a, b] = [Math.floor(i / features), i % features];
    const [row, column] = a > b ? [a, b] : [b, a];
    return at(features + (row * (row + 1)) / 2 + column);
  });
  return { mean, covariance };
}

/**
 * Reads a prior in the layout of the published file, `niqe_pris_params.npz`: arrays `mu_pris_param`
 * and `cov_pris_param`.
 *
 * @throws PathError when there is no such file, FormatError when it is another kind of file.
 */
export function readPrior(file: string): Gaussian {
  const arrays = readNpz(file, readBytes(file));
  const mean = arrays.get('mu_pris_param')?.data;
  const covariance = arrays.get('cov_pris_param')?.data;
  if (mean?.length !== features || covariance?.length !== features ** 2) {
    const found = [...arrays].map(([name, { shape }]) => `"${name}" of ${shape.join('x') || '1'}`);
    throw new FormatError(
      `${file}: expected arrays "mu_pris_param" of 1x36 and "cov_pris_param" of 36x36 numbers, ` +
        `got ${found.join(', ') || 'no arrays'}. Give NIQE's own "niqe_pris_params.npz".`,
    );
  }
  return throughFloat32({ mean, covariance });
}

/** Priors pass through float32, as they did for the published scores. */
export function throughFloat32({ mean, covariance }: Gaussian): Gaussian {
  return { mean: mean.map(Math.fround), covariance: covariance.map(Math.fround) };
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw explainPathError(error, file);
  }
}

/** float32, little-endian: the mean, then the covariance's lower triangle row by row. */
// prettier-ignore
const published = [
  '7HsmQCLcZz9d4k8/pDG5PfwPDj4W+lI+96dRP+bXfz3IAR0+c5tIPrOTUz9kHNG8rhlBPkDBKT67BFM/n8HPvJi7Pz4t',
  'Ayk+MQw+QGYTdj8Zb1k/Z7ioPXoxJT56UmY+8ONbP/ifYT23gzM+4FZePnhAXz/O+QO9V6lcPuG6QD7skF4/SGgEvRfm',
  'Wz6sQj8+SC7oPqjQxD1zAhg9xn+pPcmPsDyKDpE8rCt7PCbOHTvt80M7ojyBO6NrFj1AQ2s80jgMPCb9A7rQ1d07N6CB',
  'PQ10njySQmE84FRLO/Zn9ztyD0o89CexPXQ0szwN45E8RymHO4ZgBTwCRWo8iEmdPCb2hLvTpYW6pPq0NqdoybrqlZU5',
  'wjurunJIkLpwlHs7gX1NPYcjiDzAFS48nzEeO9bp1Tt4Xik8EQU+PIM+KrvoYh489KtWPapujzxvXEE8dAeQOn189TtE',
  'KSQ8fnpCPHxxKjqv6QM86JYcPBXwsT3zIq88rbiMPAHOZjsFnv87+4hbPLsTkzx/Bx+6AxIsPK/dODzqnJw89QRNvITS',
  'qbtw6w67s71jOKCuBLv3qSS7XSAeu+q/sjqttTm74Mv6ugGNNbuUkkc7ZVVuPTUVnTxFWUg8X3blOowNADz7pjc8Z5hP',
  'PCTgpbpQFSE8chwdPL9wTjwyIHC7HNI6PLljOT1xbnE8z9giPDmNuDoTmMQ7cY0NPEmLJTxLKhq53k7oO2X//Ds2TSM8',
  'nTekun7qAjwUOt47SjWvPWi8qzyRioo8vzppO2dc+Tsmv1g8mfuQPJAiKLoNoSk8rPE0PDwCmDxEzRW7GEFGPBz9ITzb',
  'IZs8XWwgvP+BobtQxgW7T2+ruI70Cbt7sDO7IcgTu16WxjpzglC7Gwn2ulVeCbvHJCM6LhIwuyE5C7tzhS27Y2tkO4dB',
  'bD0PG508TZdIPP+47TpuwAA8kGg6PL8rUDxlKL26pQMlPJ7ZHDwmpEo8xIwpuxFMMzyZbAo8W+pOPIcMiLvmrEI81iI1',
  'PVc3azzekB08BoOrOtZAvjutGAc8BqUfPO8NBzi7Sdo75xz2OwkoHzzDev+6qD0DPPTRyztGSRw8DZmRumdZ+zsTd9E7',
  'S/aVPgZ0ND1DQEw96OUwPGMwXDwUg/I8qLxVPcwbeTp7sKc89UnRPHXoZj3ezSC6f4nMPJSxvzwujmM9nQgEumoyzDwi',
  'ibM8yhJPP73ihz3t4sM8n9F3PEoGSTvrww888HdTPDA9eTy7P9o6UYIfPAvGRjxU1nE8AQuuulyEQTz3/yU8OxNtPHv4',
  'sLplFz88q98iPL9qlz0TCM483VZWPeSVSzwL5jc8rV8IO8StmzvisgI8HO84PB6MbTpADbo7PO3tOzbeNjwHWvW5Hbfg',
  'O1frxzuhuTM8YpeouUrV3Du+6cE7DRm7PaMOdzxqrIM8O7V3O83NDLr2A7g5udQpO/VYtLqbWyo6SF/DOucuxbrfTSA6',
  'bHwiuoZKpDq6B0Y5tkNWuJ6HlLi5eqs6OWjgOS3pH7mxPK44LkK0O8zAIzrU5To6KepwOymiCD07bTs8z0D/O6PwhzmE',
  'naU7KfXNOwil7Du8Mss6gLGVO0RR1DuYPOg7gIotukmhwTtIK6o7yxjiOxavT7qqJsE7b3GiO9TWJz2vODs8jKgJPA3H',
  '1rqWE+o7/2gsPecjSjzHShg8XAsrOzotkDuILv47tpgePCKYmTmGsb07sFjbO10SGTyf4iu6TcTaO2czvTvnNRY8cP0M',
  'untF1jvuJ7o76gpfPZQTXDx+1C48HvjJOhNb1DtDLxM8JQhXPWg+RzxCTjY8DERRO4nehzsLKQY8OTBDPExxDrjdocQ7',
  'vJDiO8+COzxu+cm5cmncO5/jxTugCjk8IEaSuUtI2TvEz787luDAPc8bdTwduXY8L50jOylq6zsD8DA8jbeRPDNekrsc',
  'xwK7OkvjuSxP2ro4kqm4KqXWulZNyLpDGCk7dLgVu+bnO7nLv3W6AK+JOirQv7rnEhO6eO5eujvFVzqtqrK6HUMbuuyb',
  'njt+ui05CVePOpmc6bqiSpc6SDasuTYnmbl1j1Q7Ec4aPZO7RzzYbwY8lMYkO8/ojTubg/Y7aRQSPCyvMbqxrco7u6zL',
  'Ox98BzwngZm68XnbO5tmsTsihAM8VJeEuiX51Tsf6607CbAoPVoQPjw9+QE8rFS6OnFUrjvUPPM7tiUVPFOG17o0Cus7',
  'xKkbPQO3PDwiXA889sukOkcemTuKZ9w7UNELPAXB1zrQ7pY7cCrcO48VCTxall+5c9PBOyPxszuM1AY8gRutuXc3wTvj',
  'fa07w3pfPVPUVTxmqCc8yCSEuEep6jv0fgM8++wrPHCAoDonwNM7XuANPJPBUT1U4zM8YlgkPH/5Mjvdvmo7pNvpOxF4',
  'LDyoy2U5UsaoO9kZxjskHjk8yZUwuuZszjumHLA7knE1PM+wBboP4co7i4iqO4gDzz0dAm08F/RrPMjJ5DqtJ+U7YSkh',
  'PLuUdzwlmxE6S4T5O6DMGjzyXo48QUowvHf5c7suGvW6R9Lxue2UmrrIi/q6QVIHu1jJyTnSQuC6zy/HurG7JLtrZ+w6',
  '+F0ju1WqiLrgLfm6dSFxufA8x7qab9S6gArhutceEbv0ftW5u9FNuIC0Xro1m4S6lc6FuelUXjoZe6666N4GuvZuhbrZ',
  'syE79K0wPejnVzxfIBU8Fa4CO9WanjsdWfw7pcEYPKgu7zmoisA7vxviO49nHDx9pce6iobvO7eHvDtMcRQ8hhYaujye',
  '3TtscMA7OfhWPU7AXDzCDRk8lqAJOrmK2juLZgQ87Z4YPE//dbnSjOY7/nj5Oz3hIzwsARO7G40PPJuI/TyzhBw8xRTm',
  'OzAJujp4kXE70CG6O6c45Ts1BmE6gdCFO6IBrztGI+A7c0iYOPumnTt1K5g7jSDiOwo2QLqnoag7Q/qKOzOFQz2A7zQ8',
  'iWsKPDhorTmI5bw79tHeO29nDTw5zRU6oWG1O4x64zvAdgs8Qh6euJSJ0TuJC8k7kwNLPVwsLDyKXx48cW0vO6nfYDu2',
  'kuE7IKEmPLDgIjmSfqM7xs+9O/TqMTxnU6+5zZzCO3E7rDsHvTU8gNmCumhyzTuXPKI7H0vLPcWiYzzjV2g853j0OjRM',
  '2TuAIR08VPtyPCo28DlJ8/E7okQUPDr+gzxpN9S5spUUPKdzBDws+ow89Zbgu5DuU7vamda6m0IBupt+nLrVJvi6MGjX',
  'ugv6UTnxutW6x/zCur9qyLpNDRC64KSuuj8g4LrROw67/N//OjxAJ7s7qW26T2+5uwaOKLugYl+64V7ZOTM7xbr4aZu6',
  'N6h4utMDrDkSdrS6/palukWol7rwDRa6T9uUuoZh0bplJd+64qU2O4aNKT07+FI8PlgTPKsSAzvdPZ470zf7Oz0xFTwW',
  'zRA6h8K9O/0K4TuFoxQ8EtW4ufYK2ztYY8c7pHYYPOLD3ro+Zu873I20OxdLZD2kIl48CJkePNH4ozkqP+Y7Ti0GPDyi',
  'IDzxLDY4ErXmO961AzwQgSE8Ds83uky+Azza8+g7IU4nPDSaObt57xg8UroCPVkzHTwyhuM7b9i2Ohkpbjsayrc76c7m',
  'O8vbOzq39IY7K/+rOxsy5jtIXli68BmrO5/cizsYqts7UlrbtylNmztKv5E7tDMwPWPNLTyShgI8t6gjOsrMqTtg1tY7',
  'twYCPGoTYTk/OLE7y+/MOwQ+/jv/lJa6OXPTO+wJqDvHFfw7lXS6ubJFyTsqr7E7',
];
