/** @file The status page: plain HTML that a small script fills from `/api/status`. */

/** Served as `/`. */
export const pageHtml: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>osediff watch</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page.css">
<script src="page.js" type="module"></script>
</head>
<body>
<header>
<h1>osediff watch</h1>
<p id="state" role="status">Connecting…</p>
</header>
<main>
<section class="figures" aria-label="Figures">
<div><b id="queued">–</b> waiting</div>
<div><b id="settling">–</b> arriving</div>
<div><b id="done">–</b> done since the start</div>
<div><b id="rate">–</b> in the last hour</div>
<div><b id="failed">–</b> failed since the start</div>
</section>
<section><h2>Folders</h2><div id="folders"></div></section>
<section><h2>Failed</h2><p id="no-failures">None.</p><ul id="failures"></ul></section>
<section><h2>Last pictures</h2><p id="no-recent">None yet.</p><div id="recent"></div></section>
</main>
<noscript>This page needs JavaScript; the same figures are at /metrics.</noscript>
</body>
</html>
`;

/** Served as `/icon.svg`: a small square that grows. */
export const pageIcon: string = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<rect x="1" y="1" width="14" height="14" rx="2" fill="#2a78d0"/>
<rect x="3" y="8" width="5" height="5" fill="#fff"/>
<path d="M9 7l4-4M9.5 3H13v3.5" stroke="#fff" fill="none"/></svg>
`;

/** Served as `/page.css`. */
export const pageCss: string = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2a78d0; --bad: #c0392b; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.5rem 3rem; font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 0 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
#state { margin: .4rem 0; }
.bad { color: var(--bad); font-weight: 600; }
.figures { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1rem; }
.figures div { background: var(--soft); border-radius: .4rem; padding: .5rem .9rem; }
.figures b { font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.folder { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .9rem; margin-bottom: .6rem; }
.path, .name { overflow-wrap: anywhere; }
.path { font-family: ui-monospace, monospace; font-size: .9em; }
progress { width: 12rem; max-width: 100%; vertical-align: middle; accent-color: var(--accent); }
ul { list-style: none; padding: 0; margin: 0; }
#failures li { display: flex; gap: 1rem; justify-content: space-between; align-items: center;
  border: 1px solid var(--line); border-left: 4px solid var(--bad); border-radius: .4rem;
  padding: .5rem .9rem; margin-bottom: .5rem; }
.reason { opacity: .8; font-size: .93em; overflow-wrap: anywhere; }
button { font: inherit; padding: .3rem .9rem; border-radius: .4rem; border: 1px solid var(--accent);
  background: var(--accent); color: #fff; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
#recent { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: .8rem; }
.picture { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; margin-bottom: .4rem; }
.pair figure { margin: 0; }
.pair img { width: 100%; height: 9rem; object-fit: contain; background: var(--soft); display: block; }
figcaption, .note { font-size: .85em; opacity: .75; }
`;

/**
 * Served as `/page.js`. Whatever comes from file names is set as text, never as HTML.
 *
 * What the page shows is asked for again every two seconds while it can be seen.
 */
export const pageScript: string = String.raw`
const $ = (id) => document.getElementById(id);
const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
};
const when = (iso) => new Date(iso).toLocaleString();

function showFolder({ in: input, out, queued, next, active, paused }) {
  const box = make('div', 'folder', make('div', 'path', input + ' → ' + out));
  if (paused) box.append(make('div', 'bad', 'Paused: ' + paused));
  for (const { file, fraction } of active) {
    const bar = make('progress');
    bar.value = fraction;
    box.append(make('div', 'name', bar, ' ' + Math.round(fraction * 100) + ' % ' + file));
  }
  if (queued > 0) {
    const more = queued > next.length ? ' and ' + (queued - next.length) + ' more' : '';
    box.append(make('div', 'note name', 'Next: ' + next.join(', ') + more));
  }
  if (!paused && active.length === 0 && queued === 0) box.append(make('div', 'note', 'Idle'));
  return box;
}

function showFailure({ folder, id, file, reason, at }) {
  const button = make('button', '', 'Retry');
  button.setAttribute('aria-label', 'Retry ' + file);
  button.addEventListener('click', async () => {
    button.disabled = true;
    await fetch('api/retry', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ folder, id }),
    });
    await refresh();
  });
  const text = make('div', '', make('div', 'name', file), make('div', 'reason', reason),
    make('div', 'note', when(at)));
  return make('li', '', text, button);
}

function showPicture({ id, file, output, width, height, seconds, at, previews }) {
  const image = (which, caption) => {
    const img = make('img');
    img.src = 'preview/' + id + '/' + which;
    img.alt = caption + ': ' + file;
    return make('figure', '', img, make('figcaption', '', caption));
  };
  const pair = previews ? [make('div', 'pair', image('before', 'Before'), image('after', 'After'))] : [];
  const box = make('div', 'picture', ...pair, make('div', 'name', file),
    make('div', 'note name', width + '×' + height + ' in ' + seconds.toFixed(1) + ' s, ' + when(at)),
    make('div', 'note path', output));
  box.dataset.id = id;
  return box;
}

let shown = {};
/** Replaces the children of an element, unless they are what they were. */
function fill(id, list, show) {
  const key = JSON.stringify(list);
  if (shown[id] === key) return;
  shown[id] = key;
  $(id).replaceChildren(...list.map(show));
}

async function refresh() {
  try {
    const response = await fetch('api/status');
    const status = await response.json();
    const { folders, failures, recent, lastHour } = status;
    const sum = (name) => folders.reduce((total, folder) => total + folder[name], 0);
    $('queued').textContent = sum('queued');
    $('settling').textContent = sum('settling');
    $('done').textContent = status.done;
    $('failed').textContent = status.failed;
    $('rate').textContent = lastHour.pictures + ' (' + lastHour.megapixels.toFixed(1) + ' MP)';
    const paused = folders.some((folder) => folder.paused);
    $('state').textContent = paused ? 'Paused' : 'Running';
    $('state').className = paused ? 'bad' : '';
    fill('folders', folders, showFolder);
    fill('failures', failures, showFailure);
    fill('recent', recent, showPicture);
    $('no-failures').hidden = failures.length > 0;
    $('no-recent').hidden = recent.length > 0;
  } catch {
    $('state').textContent = 'Not reachable';
    $('state').className = 'bad';
  }
}

await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
`;
