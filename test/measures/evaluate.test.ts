/** @file Scoring a set: order, means, sets' own scores, what is left out, and every report of it. */
import test from 'ava';
import { catalogue, chooseMeasures } from '../../src/measures/catalogue.ts';
import { type Entry, evaluate } from '../../src/measures/evaluate.ts';
import { extremes, toHtml } from '../../src/measures/html.ts';
import { arithmeticMean, geometricMean, type Measure } from '../../src/measures/measure.ts';
import { psnr } from '../../src/measures/psnr.ts';
import { toCsv, toJson, toTable } from '../../src/measures/report.ts';
import type { Rgb } from '../../src/measures/rgb.ts';
import { ShapeError, UsageError } from '../../src/tensor/errors.ts';
import { flat, texture } from './pattern.ts';

/** A measure by hand: the first byte of the picture; -1 stands for no score. */
function firstByte(over: Partial<Measure> = {}, log: string[] = []): Measure {
  return {
    name: 'byte',
    title: 'Byte',
    better: 'higher',
    needsReference: false,
    digits: 1,
    open: () => {
      log.push('open');
      return Promise.resolve({
        add: ({ data }) => {
          log.push(`add ${data[0]}`);
          return Promise.resolve(data[0] === 255 ? NaN : data[0]!);
        },
        total: (scores) => Promise.resolve(arithmeticMean(scores)),
        close: () => Promise.resolve(void log.push('close')),
      });
    },
    ...over,
  };
}

function entry(name: string, result: Rgb, reference?: Rgb): Entry {
  const same = { name, result: () => Promise.resolve(result) };
  return reference ? { ...same, reference: () => Promise.resolve(reference) } : same;
}

const pictures = [
  entry('a', flat(3, 2, 10)),
  entry('b,"c"', flat(3, 2, 40)),
  entry('d', flat(3, 2, 4)),
];

test('every picture is seen once, in order, between open and close', async (t) => {
  const log: string[] = [];
  const seen: string[] = [];
  const measure = firstByte({}, log);
  const { mean } = await evaluate(pictures, [measure], {
    onPicture: (done, total, { name }) => seen.push(`${done}/${total} ${name}`),
  });
  t.deepEqual(log, ['open', 'add 10', 'add 40', 'add 4', 'close']);
  t.deepEqual(seen, ['1/3 a', '2/3 b,"c"', '3/3 d']);
  t.is(mean.get(measure), 18);
});

test('a measure is closed when a picture fails, and the picture is named', async (t) => {
  const log: string[] = [];
  const wrong = [
    entry('a', flat(3, 2, 1), flat(3, 2, 1)),
    entry('b', flat(3, 2, 1), flat(3, 3, 1)),
  ];
  await t.throwsAsync(() => evaluate(wrong, [firstByte({}, log)]), {
    instanceOf: ShapeError,
    message: 'b: expected 3x3 pixels as in the reference, got 3x2.',
  });
  t.is(log.at(-1), 'close');
  const tiny = [entry('tiny', flat(3, 2, 1), flat(3, 2, 1))];
  const { chosen } = chooseMeasures('psnr,ssim,niqe', catalogue(), true);
  await t.throwsAsync(() => evaluate(tiny, chosen), { message: /^tiny: ssim: expected .*11x11/ });
});

test('an aborted run stops and closes', async (t) => {
  const log: string[] = [];
  const controller = new AbortController();
  const options = { onPicture: () => controller.abort(), signal: controller.signal };
  await t.throwsAsync(() => evaluate(pictures, [firstByte({}, log)], options), {
    any: true, // a DOMException is no Error
    name: 'AbortError',
  });
  t.deepEqual(log, ['open', 'add 10', 'close']);
});

/** A measure of the set only, like FID. */
const count: Measure = {
  ...firstByte(),
  name: 'count',
  title: 'Count',
  better: 'lower',
  open: () => {
    let n = 0;
    return Promise.resolve({
      add: () => Promise.resolve(void n++),
      total: () => Promise.resolve(n),
      close: () => Promise.resolve(),
    });
  },
};

test('JSON, CSV and table hold means, single scores, and what is missing', async (t) => {
  const evaluation = await evaluate(pictures, [firstByte(), count]);
  const missing = [firstByte({ name: 'lpips', title: 'LPIPS', lacks: 'its weights. Fetch them.' })];
  t.deepEqual(toJson(evaluation, missing), {
    count: 3,
    mean: { byte: 18, count: 3 },
    pictures: [
      { name: 'a', byte: 10 },
      { name: 'b,"c"', byte: 40 },
      { name: 'd', byte: 4 },
    ],
    missing: ['lpips'],
  });
  t.is(toCsv(evaluation), 'name,byte\r\na,10\r\n"b,""c""",40\r\nd,4\r\n');
  t.is(
    toTable(evaluation, missing),
    [
      'pictures  Byte \u2191  Count \u2193',
      '       3    18.0      3.0',
      'LPIPS left out: lacks its weights. Fetch them.',
    ].join('\n'),
  );
});

test('a picture without a score leaves the mean without one, and is named', async (t) => {
  const evaluation = await evaluate([...pictures, entry('flat', flat(1, 1, 255))], [firstByte()]);
  const { mean, pictures: rows } = toJson(evaluation, []);
  t.deepEqual(mean, { byte: null });
  t.deepEqual(rows.at(-1), { name: 'flat', byte: null });
  t.is(toCsv(evaluation).split('\r\n')[4], 'flat,');
  t.true(toTable(evaluation, []).endsWith('      -\nByte: no score for flat'));
});

test('NIQE of a flat picture is null, PSNR and SSIM are not', async (t) => {
  const picture = flat(200, 200, 7);
  const { chosen } = chooseMeasures('psnr,ssim,niqe', catalogue(), true);
  const { mean } = toJson(await evaluate([entry('a', picture, picture)], chosen), []);
  t.deepEqual(mean, { psnr: 80, ssim: 1, niqe: null });
});

test('worst and best follow what is better', async (t) => {
  const names = async (better: Measure['better']): Promise<string[][]> => {
    const measure = firstByte({ better });
    const all = [1, 2, 4, 8, 16, 255, 32, 64].map((v) => entry(String(v), flat(1, 1, v)));
    const { worst, best } = extremes(await evaluate(all, [measure]), measure);
    return [worst.map(({ name }) => name), best.map(({ name }) => name)];
  };
  t.deepEqual(await names('higher'), [
    ['1', '2', '4'],
    ['64', '32', '16'],
  ]);
  t.deepEqual(await names('lower'), [
    ['64', '32', '16'],
    ['1', '2', '4'],
  ]);
  t.deepEqual(await names('one'), [
    ['64', '32', '16'],
    ['1', '2', '4'],
  ]);
});

test('the page needs nothing else, holds every picture once, and escapes names', async (t) => {
  const entries = ['<a>', 'b&b', 'c'].map((name, i) =>
    entry(name, texture(8, 8, i, 9), texture(8, 8, 7, 9)),
  );
  const evaluation = await evaluate(entries, [firstByte(), firstByte({ name: 'again' })]);
  const loaded: string[] = [];
  const image = (text: string) => ({ width: 8, height: 6, url: `data:image/webp;base64,${text}` });
  const page = await toHtml(evaluation, { title: 'x < y', missing: [] }, (name) => {
    loaded.push(name);
    return Promise.resolve({
      result: image(`R${loaded.length}`),
      reference: image(`O${loaded.length}`),
    });
  });
  t.deepEqual(loaded.sort(), ['<a>', 'b&b', 'c']);
  t.is(page.match(/data:image/g)!.length, 6);
  t.is(page.match(/<figure>/g)!.length, 6); // worst and best, of two measures
  t.true(page.includes('x &lt; y') && page.includes('&lt;a&gt;') && page.includes('b&amp;b'));
  t.false(/(?:src|href)=|https?:|<a>/.test(page));
});

test('lists choose by name, by group, and seams with a period', (t) => {
  const all = catalogue();
  const names = (list: string | undefined, withReference = true): string[] =>
    chooseMeasures(list, all, withReference).chosen.map(({ name }) => name);
  t.deepEqual(names(undefined), ['psnr', 'ssim', 'niqe']);
  t.deepEqual(names(undefined, false), ['niqe']);
  t.deepEqual(names('NIQE, psnr'), ['niqe', 'psnr']);
  t.deepEqual(names('all'), ['psnr', 'ssim', 'niqe', 'grad', 'hf', 'mf']);
  t.deepEqual(names('niqe,seam:64', false), ['niqe', 'seam:64']);
  for (const list of ['psrn', '', 'niqe,', 'seam', 'seam:0', 'toString']) {
    t.throws(
      () => names(list),
      { instanceOf: UsageError, message: /names among psnr, ssim/ },
      list,
    );
  }
  t.throws(() => names('psnr', false), { instanceOf: UsageError, message: /--hr/ });
});

test('measures that are networks lack their weights until they are imported', (t) => {
  const { missing } = chooseMeasures(undefined, catalogue(), true);
  t.deepEqual(
    missing.map(({ name }) => name),
    ['lpips', 'dists', 'fid', 'musiq', 'maniqa', 'clipiqa'],
  );
  const { missing: unpaired } = chooseMeasures('paper', catalogue(), false);
  t.deepEqual(
    unpaired.map(({ name }) => name),
    ['musiq', 'maniqa', 'clipiqa'],
  );
  t.throws(() => chooseMeasures('dists', catalogue(), true), {
    instanceOf: UsageError,
    message:
      'measures: "dists" lacks VGG16\'s weights and DISTS\' alpha and beta. Import them with "osediff model import --kind metric vgg16-397923af.pth" and "osediff model import --kind metric DISTS_weights-f5e65c96.pth".',
  });
});

test('with its parts imported a measure is chosen; variants only by name', (t) => {
  const networks = {
    installed: new Set(['vgg16', 'musiq-koniq'] as const),
    runner: {
      provider: () => Promise.reject(new Error('not to be asked')),
      compile: () => Promise.reject(new Error('not to be run')),
    },
  };
  const all = catalogue(undefined, networks);
  const { chosen, missing } = chooseMeasures('all', all, true);
  const names = chosen.map(({ name }) => name);
  t.deepEqual(names, ['psnr', 'ssim', 'niqe', 'musiq', 'grad', 'hf', 'mf']);
  t.regex(missing.find(({ name }) => name === 'dists')!.lacks!, /^DISTS' alpha and beta\. /);
  t.is(chooseMeasures('lpips-vgg', all, true).chosen[0]?.title, 'LPIPS (VGG)');
  t.throws(() => chooseMeasures('musiq-ava', all, true), {
    message: /musiq_ava_ckpt-e8d3f067\.pth/,
  });
});

test('what lacks something is missing from a group, and an error when named', (t) => {
  const lpips = firstByte({ name: 'lpips', lacks: 'its weights. Import them.' });
  const all = { paper: [firstByte(), lpips], development: [], variants: [] };
  t.deepEqual(chooseMeasures(undefined, all, false), { chosen: [all.paper[0]!], missing: [lpips] });
  t.throws(() => chooseMeasures('paper,lpips', all, false), {
    instanceOf: UsageError,
    message: 'measures: "lpips" lacks its weights. Import them.',
  });
});

test('the development measures mean geometrically, and share one transform', async (t) => {
  const reference = texture(32, 32, 1, 9);
  const entries = [5, 20].map((grain) => entry(`${grain}`, texture(32, 32, 1, grain), reference));
  const { development } = catalogue();
  const { mean, pictures: rows } = await evaluate(entries, development);
  for (const measure of development) {
    const scores = rows.map(({ scores }) => scores.get(measure)!);
    t.true(scores[0]! < 1 && scores[1]! > 1, measure.name);
    t.true(Math.abs(mean.get(measure)! - Math.sqrt(scores[0]! * scores[1]!)) < 1e-12);
    t.is(mean.get(measure), geometricMean(scores));
  }
});

test('scores in the report are those of the functions', async (t) => {
  const [result, reference] = [texture(40, 30, 1, 9), texture(40, 30, 1, 0)];
  const { chosen } = chooseMeasures('psnr', catalogue(), true);
  const { pictures: rows } = toJson(await evaluate([entry('a', result, reference)], chosen), []);
  t.deepEqual(rows, [{ name: 'a', psnr: psnr(result, reference) }]);
});
