/** @file The page that shows two films under one before/after slider, in step, with zoom. */

/** One side of a comparison. */
export interface Side {
  /** Where the page finds it: an address on its server. */
  readonly url: string;
  readonly name: string;
}

export interface Comparison {
  readonly before: Side;
  readonly after: Side;
  /** Frames a second of the films. */
  readonly rate?: number;
  /** What was measured, for the page's foot. */
  readonly text?: string;
}

/** The page, which needs its server (see `compare-server.ts`). */
export function comparePage({ before, after, rate = 25, text = '' }: Comparison): string {
  const element = (side: Side, id: string): string =>
    `<video id="${id}" class="layer" muted playsinline preload="auto" data-url="${escape(side.url)}"></video>`;
  const controls =
    '<button id="back" title="one frame back (,)">&#9664;|</button>' +
    '<button id="play" title="play (space)">play</button>' +
    '<button id="forth" title="one frame on (.)">|&#9654;</button>' +
    '<input id="seek" type="range" min="0" max="1" step="any" value="0" aria-label="time"><output id="time"></output>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(before.name)} / ${escape(after.name)}</title>
<style>${style}</style>
</head>
<body>
<div id="stage" tabindex="0" aria-label="Drag the line; wheel to zoom, drag with the right button or shift to move.">
<div id="view">${element(after, 'after')}${element(before, 'before')}</div>
<div id="line"></div>
<span class="name left">${escape(before.name)}</span><span class="name right">${escape(after.name)}</span>
<div id="note" role="status"></div>
</div>
<footer>${controls}<button id="reset">100 %</button><span>${escape(text)}</span></footer>
<script>${slider}${films(rate)}</script>
</body>
</html>
`;
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

const style = `
:root{color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;background:#111;color:#ddd;font:14px/1.4 system-ui,sans-serif}
#stage{flex:1;min-height:0;position:relative;overflow:hidden;cursor:ew-resize;outline:none;touch-action:none}
#view{position:absolute;inset:0;transform-origin:0 0}
.layer{position:absolute;inset:0;width:100%;height:100%;object-fit:contain;image-rendering:pixelated;user-select:none}
#line{position:absolute;top:0;bottom:0;width:2px;margin-left:-1px;background:#fff;box-shadow:0 0 4px #000;pointer-events:none}
.name{position:absolute;bottom:8px;padding:2px 8px;background:#000a;border-radius:3px;pointer-events:none}
.left{left:8px}.right{right:8px}
#note{position:absolute;top:8px;left:8px;right:8px;text-align:center;pointer-events:none}
footer{display:flex;gap:8px;align-items:center;padding:6px 8px}
footer input{flex:1}
button{font:inherit;padding:2px 10px}
`;

/** The slider and the zoom. The line stands still on the screen; the pictures move under it. */
const slider = `
const $ = (id) => document.getElementById(id);
const stage = $('stage'), view = $('view');
let share = 0.5, zoom = 1, left = 0, top_ = 0;
function draw() {
  const { width, height } = stage.getBoundingClientRect();
  left = Math.min(0, Math.max(width - width * zoom, left));
  top_ = Math.min(0, Math.max(height - height * zoom, top_));
  view.style.transform = 'translate(' + left + 'px,' + top_ + 'px) scale(' + zoom + ')';
  const cut = (share * width - left) / zoom;
  $('before').style.clipPath = 'inset(0 ' + Math.max(0, width - cut) + 'px 0 0)';
  $('line').style.left = share * width + 'px';
}
let drag;
stage.addEventListener('pointerdown', (e) => { stage.setPointerCapture(e.pointerId); drag = { move: e.button === 2 || e.shiftKey }; slide(e); });
stage.addEventListener('pointermove', (e) => { if (drag) slide(e); });
stage.addEventListener('pointerup', () => { drag = undefined; });
stage.addEventListener('contextmenu', (e) => e.preventDefault());
function slide(e) {
  const box = stage.getBoundingClientRect();
  if (drag.move) { left += e.movementX; top_ += e.movementY; }
  else share = Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
  draw();
}
stage.addEventListener('wheel', (e) => {
  e.preventDefault();
  const box = stage.getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top;
  const next = Math.min(64, Math.max(1, zoom * Math.exp(-e.deltaY / 300)));
  left = x - (x - left) * next / zoom; top_ = y - (y - top_) * next / zoom; zoom = next;
  draw();
}, { passive: false });
$('reset').onclick = () => { zoom = 1; left = top_ = 0; draw(); };
addEventListener('resize', draw);
addEventListener('keydown', (e) => {
  if (e.key === 'ArrowLeft') share = Math.max(0, share - 0.02);
  else if (e.key === 'ArrowRight') share = Math.min(1, share + 0.02);
  else return;
  draw();
});
function ready() { draw(); document.documentElement.dataset.ready = 'true'; }
`;

/** Playback in step: the film before leads, the one after follows to the frame. */
function films(rate: number): string {
  return `
const rate = ${rate};
const a = $('before'), b = $('after');
const note = (text) => { $('note').textContent = text; };
function plays(video, url) {
  return new Promise((resolve) => {
    video.onloadeddata = () => resolve(video.videoWidth > 0);
    video.onerror = () => resolve(false);
    video.src = url;
  });
}
let engine;
async function load() {
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/ffmpeg/ffmpeg.js'; script.onload = resolve; script.onerror = reject;
    document.head.append(script);
  });
  const ffmpeg = new FFmpegWASM.FFmpeg();
  await ffmpeg.load({ coreURL: new URL('/core/ffmpeg-core.js', location).href, wasmURL: new URL('/core/ffmpeg-core.wasm', location).href });
  return ffmpeg;
}
async function show(video) {
  const { url } = video.dataset;
  if (await plays(video, url)) return;
  note('Converting ' + url + ' for this browser, which does not play it...');
  const ffmpeg = await (engine ??= load());
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  await ffmpeg.writeFile('in', bytes);
  const h264 = document.createElement('video').canPlayType('video/mp4; codecs="avc1.640028"');
  const out = h264 ? 'out.mp4' : 'out.webm';
  const codec = h264 ? ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '12'] : ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-crf', '4', '-b:v', '50M'];
  await ffmpeg.exec(['-i', 'in', '-map', '0:V:0', '-vf', 'crop=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p', ...codec, out]);
  const data = await ffmpeg.readFile(out);
  const blob = new Blob([data], { type: h264 ? 'video/mp4' : 'video/webm' });
  video.dataset.converted = 'true';
  if (!(await plays(video, URL.createObjectURL(blob)))) throw new Error(url + ' cannot be shown');
  note('');
}
const length = () => Math.min(a.duration, b.duration);
function seek(time) {
  const frame = Math.max(0, Math.min(Math.ceil(length() * rate) - 1, Math.floor(time * rate + 1e-6)));
  const middle = Math.min((frame + 0.5) / rate, length() - 0.001); // no rounding shows the frame beside
  a.currentTime = b.currentTime = middle;
}
function toggle() {
  if (a.paused) { a.play(); b.play(); $('play').textContent = 'pause'; }
  else { a.pause(); b.pause(); seek(a.currentTime); $('play').textContent = 'play'; }
}
function step(frames) { if (!a.paused) toggle(); seek(a.currentTime + frames / rate); }
$('play').onclick = toggle;
$('back').onclick = () => step(-1);
$('forth').onclick = () => step(1);
$('seek').oninput = () => seek($('seek').value * length());
addEventListener('keydown', (e) => {
  if (e.key === ' ' && e.target.tagName !== 'BUTTON') { e.preventDefault(); toggle(); }
  else if (e.key === ',') step(-1);
  else if (e.key === '.') step(1);
});
function follow() {
  if (!a.paused && Math.abs(a.currentTime - b.currentTime) > 0.5 / rate) b.currentTime = a.currentTime;
  if (a.ended && !b.paused) { b.pause(); $('play').textContent = 'play'; }
  if (document.activeElement !== $('seek')) $('seek').value = a.currentTime / length() || 0;
  $('time').textContent = 'frame ' + Math.floor(a.currentTime * rate + 1e-6) + ', ' + a.currentTime.toFixed(2) + ' s';
  requestAnimationFrame(follow);
}
(async () => {
  try { await show(a); await show(b); seek(0); follow(); ready(); }
  catch (error) { note(String(error.message ?? error)); draw(); }
})();
`;
}
