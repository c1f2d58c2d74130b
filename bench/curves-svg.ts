/** @file Draws loss curves as SVG. */

/** One run: its losses by name, a number a step. */
export interface Curve {
  readonly label: string;
  readonly losses: ReadonlyMap<string, readonly number[]>;
}

const [width, height, margin] = [300, 190, 34];
const colors = ['#c2410c', '#1d4ed8'];

/** A panel for each loss, a line for each run: the mean of the last 20 steps. */
export function drawCurves(curves: readonly Curve[]): string {
  const names = [...curves[0]!.losses.keys()];
  const panels = names.map((name, i) => {
    const runs = curves.map(({ losses }) => smooth(losses.get(name)!, 20));
    return `<g transform="translate(${i * width} 0)">${panel(name, runs)}</g>`;
  });
  const legend = curves.map(
    ({ label }, i) =>
      `<text x="${margin + 150 * i}" y="${height + 14}" fill="${colors[i]}">${label}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${names.length * width} ${height + 24}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
${panels.join('\n')}
${legend.join('\n')}
</svg>
`;
}

function smooth(values: readonly number[], window: number): number[] {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i + 1 - window), i + 1);
    return part.reduce((sum, v) => sum + v, 0) / part.length;
  });
}

function panel(name: string, runs: readonly (readonly number[])[]): string {
  // The first means are of few steps.
  const settled = runs.flatMap((run) => run.slice(10));
  const [low, high] = [Math.min(...settled), Math.max(...settled)];
  const x = (step: number, count: number): number =>
    margin + ((width - margin - 10) * step) / (count - 1);
  const y = (v: number): number => height - 20 - ((height - 50) * (v - low)) / (high - low || 1);
  const lines = runs.map((run, i) => {
    const points = run.slice(10).map((v, step) => {
      return `${x(step + 10, run.length).toFixed(1)},${y(v).toFixed(1)}`;
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colors[i]}" stroke-width="1.5"/>`;
  });
  const ticks = [low, high].map(
    (v) => `<text x="2" y="${(y(v) + 4).toFixed(1)}" fill="#555">${v.toPrecision(2)}</text>`,
  );
  const steps = runs[0]!.length;
  return `<text x="${margin}" y="16" font-weight="bold">${name}</text>${ticks.join('')}<path d="M${margin} 26V${height - 18}H${width - 10}" fill="none" stroke="#999"/><text x="${width - 10}" y="${height - 4}" text-anchor="end" fill="#555">step ${steps}</text>${lines.join('')}`;
}
