/** @file An evaluation as one HTML page that needs nothing else: means, worst and best pictures, all scores. */
import type { Evaluation, PictureScores } from './evaluate.ts';
import type { Measure } from './measure.ts';
import type { PageImage } from './page-image.ts';
import { formatScore, headOf } from './report.ts';

/** How many worst and best pictures are shown of every measure. */
const shown = 3;

/** The two pictures of one name. */
export interface PagePair {
  readonly result: PageImage;
  readonly reference: PageImage | undefined;
}

/** What the page says besides scores. */
export interface PageText {
  readonly title: string;
  readonly missing: readonly Measure[];
}

/**
 * The page. Every picture is on it once, however often it is shown.
 *
 * @param load called once for every picture that is among the worst or best by some measure
 */
export async function toHtml(
  evaluation: Evaluation,
  { title, missing }: PageText,
  load: (name: string) => Promise<PagePair>,
): Promise<string> {
  const sections = evaluation.measures
    .filter((measure) => evaluation.pictures.some(({ scores }) => scores.has(measure)))
    .map((measure) => ({ measure, ...extremes(evaluation, measure) }));
  const wanted = new Set(sections.flatMap(({ worst, best }) => [...worst, ...best]));
  const pairs = new Map<PictureScores, number>();
  const styles: string[] = [];
  let references = false;
  for (const picture of wanted) {
    const k = pairs.size;
    pairs.set(picture, k);
    const { result, reference } = await load(picture.name);
    styles.push(imageStyle(`r${k}`, result));
    if (reference) styles.push(imageStyle(`o${k}`, reference));
    references ||= reference !== undefined;
  }
  const figures = (pictures: readonly PictureScores[]): string =>
    pictures.map((p) => figure(p, pairs.get(p)!, references, evaluation.measures)).join('\n');
  return page(title, styles, [
    `<p>${evaluation.pictures.length} pictures</p>`,
    meanTable(evaluation),
    ...missing.map((m) => `<p>${escape(`${m.title} left out: lacks ${m.lacks}`)}</p>`),
    ...sections.flatMap(({ measure, worst, best }) => [
      `<h2>${escape(headOf(measure))}</h2>`,
      `<h3>Worst</h3><div class="row">${figures(worst)}</div>`,
      `<h3>Best</h3><div class="row">${figures(best)}</div>`,
    ]),
    '<h2>All pictures</h2>',
    allTable(evaluation),
  ]);
}

/** The worst and best pictures by a measure, worst and best first; those without a score are neither. */
export function extremes(
  { pictures }: Evaluation,
  measure: Measure,
): { worst: PictureScores[]; best: PictureScores[] } {
  const badness = ({ scores }: PictureScores): number => {
    const score = scores.get(measure) ?? NaN;
    if (measure.better === 'one') return Math.abs(Math.log(score));
    return measure.better === 'lower' ? score : -score;
  };
  const ranked = pictures
    .filter((picture) => !Number.isNaN(badness(picture)))
    .sort((a, b) => badness(a) - badness(b));
  const half = Math.ceil(ranked.length / 2);
  const best = ranked.slice(0, Math.min(shown, half));
  return { best, worst: ranked.slice(half).slice(-shown).reverse() };
}

function figure(
  { name, scores }: PictureScores,
  k: number,
  references: boolean,
  measures: readonly Measure[],
): string {
  const images = references
    ? `${image(`r${k}`, 'result')}${image(`o${k}`, 'reference')}`
    : image(`r${k}`, 'result');
  const line = measures
    .filter((measure) => scores.has(measure))
    .map((measure) => `${measure.title} ${formatScore(measure, scores.get(measure))}`);
  return (
    `<figure><div class="pair">${images}</div>` +
    `<figcaption>${escape(name)}<br><small>${escape(line.join(' \u00b7 '))}</small></figcaption></figure>`
  );
}

function image(id: string, label: string): string {
  return `<div class="picture ${id}" role="img" aria-label="${label}"><span>${label}</span></div>`;
}

function imageStyle(id: string, { width, height, url }: PageImage): string {
  return `.${id}{aspect-ratio:${width}/${height};max-width:${width}px;background-image:url(${url})}`;
}

function meanTable({ measures, mean }: Evaluation): string {
  const scored = measures.filter((measure) => mean.has(measure));
  const values = scored.map((measure) => formatScore(measure, mean.get(measure)));
  return table(scored.map(headOf), [values]);
}

function allTable({ measures, pictures }: Evaluation): string {
  const rows = pictures.map(({ name, scores }) => [
    name,
    ...measures.map((measure) => formatScore(measure, scores.get(measure))),
  ]);
  return table(['picture', ...measures.map(headOf)], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((row) => cells('td', row)).join('\n');
  return `<table><thead>${cells('th', head)}</thead><tbody>${body}</tbody></table>`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (c) => entities[c]!);
}

function page(title: string, styles: readonly string[], body: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;padding:0 1rem;max-width:110rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left}
.row{display:flex;flex-wrap:wrap;gap:1.5rem}
figure{margin:0;flex:1 1 28rem;max-width:64rem}
.pair{display:flex;gap:4px;align-items:flex-start}
.picture{flex:1;background-size:contain;background-repeat:no-repeat;position:relative}
.picture span{position:absolute;left:0;bottom:0;padding:0 .4rem;background:#000a;color:#fff}
${styles.join('\n')}
</style>
</head>
<body>
<h1>${escape(title)}</h1>
${body.join('\n')}
</body>
</html>
`;
}
