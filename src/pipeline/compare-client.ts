/** @file The page that compares two pictures: what the browser is given besides tiles. Nothing is loaded from elsewhere. */

/** One side of the page. */
export interface PageSide {
  readonly label: string;
  readonly width: number;
  readonly height: number;
  /** Level of full size; each level below is half of the one above. */
  readonly top: number;
}

/** Pixels of a tile's edge. */
export const pageTile = 512;

/** Text as HTML. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (c) => entities[c]!);
}

const style = `
:root{color-scheme:dark}
html,body{margin:0;height:100%;background:#181818;color:#eee;font:14px/1.4 system-ui,sans-serif;overflow:hidden}
canvas{position:absolute;inset:0;width:100%;height:100%;touch-action:none;cursor:grab}
.label{position:absolute;top:12px;padding:2px 10px;background:#000a;border-radius:4px;pointer-events:none}
#before{left:12px}#after{right:12px}
footer{position:absolute;left:0;right:0;bottom:0;display:flex;gap:16px;align-items:center;padding:8px 14px;background:#000b}
footer input{flex:1}
button{font:inherit;background:#333;color:inherit;border:1px solid #666;border-radius:4px;padding:2px 10px}
`;

/** Runs in the browser; `sides` is defined before it. */
const script = `
const canvas = document.querySelector('canvas');
const slider = document.querySelector('#split');
const paint = canvas.getContext('2d');
const size = sides[1];
const cache = new Map();
let view = { x: 0, y: 0, zoom: 1 };
let ratio = 1;
let wanted = false;

// A picture of each tile, decoded when it is first seen; the oldest are dropped.
function tile(key) {
  const known = cache.get(key);
  if (known) { cache.delete(key); cache.set(key, known); return known.image; }
  const text = document.getElementById(key);
  if (!text) return null;
  const entry = { image: null };
  cache.set(key, entry);
  if (cache.size > 160) {
    const [first, old] = cache.entries().next().value;
    if (old.image) old.image.close();
    cache.delete(first);
  }
  const bytes = Uint8Array.from(atob(text.textContent), (c) => c.charCodeAt(0));
  createImageBitmap(new Blob([bytes], { type: 'image/webp' })).then((image) => {
    if (cache.get(key) === entry) { entry.image = image; redraw(); } else image.close();
  });
  return null;
}

// Draws a side's tiles that are in view; coordinates are pixels of the second picture.
function side(index) {
  const { width, height, top } = sides[index];
  const unit = size.width / width;
  const shown = view.zoom * ratio * unit;
  const level = Math.max(0, Math.min(top, top + Math.ceil(Math.log2(Math.max(shown, 1e-6)))));
  const step = 2 ** (top - level);
  const edge = TILE * step * unit;
  const right = view.x + canvas.width / (view.zoom * ratio);
  const bottom = view.y + canvas.height / (view.zoom * ratio);
  // A coarse level lies below while fine tiles are decoded.
  for (const [at, stride] of level > 0 ? [[Math.max(0, level - 3), 2 ** (top - Math.max(0, level - 3))], [level, step]] : [[level, step]]) {
    const length = TILE * stride * unit;
    const columns = Math.ceil(Math.ceil(width / stride) / TILE);
    const rows = Math.ceil(Math.ceil(height / stride) / TILE);
    for (let r = Math.max(0, Math.floor(view.y / length)); r < rows && r * length < bottom; r++) {
      for (let c = Math.max(0, Math.floor(view.x / length)); c < columns && c * length < right; c++) {
        const image = tile(index + '-' + at + '-' + c + '_' + r);
        if (!image) continue;
        const scale = view.zoom * ratio * stride * unit;
        paint.imageSmoothingEnabled = scale < 3 || index === 0;
        paint.imageSmoothingQuality = 'high';
        const x0 = Math.round((c * length - view.x) * view.zoom * ratio);
        const y0 = Math.round((r * length - view.y) * view.zoom * ratio);
        const x1 = Math.round((c * length - view.x) * view.zoom * ratio + image.width * scale);
        const y1 = Math.round((r * length - view.y) * view.zoom * ratio + image.height * scale);
        paint.drawImage(image, x0, y0, x1 - x0, y1 - y0);
      }
    }
  }
}

function draw() {
  wanted = false;
  ratio = window.devicePixelRatio || 1;
  const width = Math.round(innerWidth * ratio);
  const height = Math.round(innerHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  paint.setTransform(1, 0, 0, 1, 0, 0);
  paint.fillStyle = '#181818';
  paint.fillRect(0, 0, width, height);
  const cut = Math.round((width * slider.value) / 1000);
  for (const index of [0, 1]) {
    paint.save();
    paint.beginPath();
    paint.rect(index === 0 ? 0 : cut, 0, index === 0 ? cut : width - cut, height);
    paint.clip();
    side(index);
    paint.restore();
  }
  paint.fillStyle = '#fff';
  paint.fillRect(cut - ratio, 0, 2 * ratio, height);
  document.querySelector('#zoom').textContent = Math.round(view.zoom * ratio * 100) + ' %';
}
function redraw() { if (!wanted) { wanted = true; requestAnimationFrame(draw); } }

function fit() {
  view.zoom = Math.min(innerWidth / size.width, innerHeight / size.height);
  view.x = (size.width - innerWidth / view.zoom) / 2;
  view.y = (size.height - innerHeight / view.zoom) / 2;
  redraw();
}
function zoomBy(factor, x, y) {
  const zoom = Math.min(32, Math.max(0.5 * Math.min(innerWidth / size.width, innerHeight / size.height, 1), view.zoom * factor));
  view.x += x / view.zoom - x / zoom;
  view.y += y / view.zoom - y / zoom;
  view.zoom = zoom;
  redraw();
}

let drag = null;
canvas.addEventListener('pointerdown', (e) => {
  const split = Math.abs(e.clientX - (innerWidth * slider.value) / 1000) < 12;
  drag = { x: e.clientX, y: e.clientY, split };
  canvas.setPointerCapture(e.pointerId);
});
canvas.addEventListener('pointermove', (e) => {
  if (!drag) return;
  if (drag.split) slider.value = (e.clientX / innerWidth) * 1000;
  else { view.x -= (e.clientX - drag.x) / view.zoom; view.y -= (e.clientY - drag.y) / view.zoom; }
  drag.x = e.clientX; drag.y = e.clientY;
  redraw();
});
canvas.addEventListener('pointerup', () => { drag = null; });
canvas.addEventListener('wheel', (e) => { e.preventDefault(); zoomBy(Math.exp(-e.deltaY / 400), e.clientX, e.clientY); }, { passive: false });
canvas.addEventListener('dblclick', fit);
slider.addEventListener('input', redraw);
document.querySelector('#fit').addEventListener('click', fit);
document.querySelector('#one').addEventListener('click', () => zoomBy(1 / (view.zoom * ratio), innerWidth / 2, innerHeight / 2));
addEventListener('keydown', (e) => {
  if (e.key === '+') zoomBy(1.25, innerWidth / 2, innerHeight / 2);
  else if (e.key === '-') zoomBy(0.8, innerWidth / 2, innerHeight / 2);
  else if (e.key === '0') fit();
});
addEventListener('resize', redraw);
fit();
`;

/** The page up to its tiles. */
export function pageHead(title: string, note: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head><body>
<canvas aria-label="${escapeHtml(title)}"></canvas>
<footer><span>${escapeHtml(note)}</span>
<input type="range" id="split" min="0" max="1000" value="500" aria-label="how much of the first picture is shown">
<button id="fit">fit</button><button id="one">1:1</button><span id="zoom"></span></footer>
`;
}

/** One tile: text until it is looked at. */
export function pageTileText(side: number, level: string, name: string, bytes: Buffer): string {
  return `<script type="text/plain" id="${side}-${level}-${name}">${bytes.toString('base64')}</script>\n`;
}

/** What comes after the tiles. */
export function pageTail(sides: readonly [PageSide, PageSide]): string {
  const labels = sides.map(({ label, width, height }, i) => {
    const id = i === 0 ? 'before' : 'after';
    return `<div class="label" id="${id}">${escapeHtml(label)}, ${width}x${height}</div>`;
  });
  const data = JSON.stringify(sides).replaceAll('<', '\\u003c');
  return `${labels.join('\n')}
<script>
const TILE = ${pageTile};
const sides = ${data};
${script}</script>
</body></html>
`;
}
