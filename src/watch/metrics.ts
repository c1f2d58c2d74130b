/** @file Figures for Prometheus, by prom-client. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DoneEvent, WatchListener } from './context.ts';
import type { Folder } from './folder.ts';
import { folderStatus } from './status.ts';

/** Metrics of one watcher. */
export interface Metrics extends WatchListener {
  readonly contentType: string;
  /** A worker process died, or was killed. */
  onDeath(kind: string): void;
  /** All of them, as Prometheus reads them. */
  text(): Promise<string>;
}

/** Seconds a megapixel, from a GPU to a large model on a slow machine. */
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250];

/** What is read off each folder when Prometheus asks. */
const gauges: readonly (readonly [
  name: string,
  help: string,
  value: (folder: Folder) => number,
])[] = [
  ['queue_depth', 'Pictures that wait to be upscaled', (f) => folderStatus(f).queued],
  ['settling', 'Files not known to be complete', (f) => folderStatus(f).settling],
  ['in_flight', 'Pictures being upscaled', (f) => folderStatus(f).active.length],
  [
    'paused',
    '1 while a disk, share or model keeps jobs waiting',
    (f) => (f.pause.reason === undefined ? 0 : 1),
  ],
  ['last_sweep_timestamp_seconds', 'When the folder was last looked at', (f) => f.sweptAt / 1000],
];

/** Begins to count. */
export function createMetrics(folders: readonly Folder[]): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'osediff_' });
  for (const [name, help, value] of gauges) {
    const gauge = new Gauge({
      name: `osediff_${name}`,
      help,
      labelNames: ['folder'],
      registers: [],
      collect() {
        for (const folder of folders) this.set({ folder: folder.places.in }, value(folder));
      },
    });
    registry.registerMetric(gauge);
  }
  let lastSuccess = Date.now();
  const age = new Gauge({
    name: 'osediff_last_success_age_seconds',
    help: 'Since the last result, or since the start before there is one',
    registers: [],
    collect() {
      this.set((Date.now() - lastSuccess) / 1000);
    },
  });
  registry.registerMetric(age);
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `osediff_${name}`, help, registers });
  const byClass = (name: string, help: string): Counter<'class'> =>
    new Counter({ name: `osediff_${name}`, help, labelNames: ['class'], registers });

  const done = counter('pictures_total', 'Pictures upscaled');
  const pixels = counter('output_megapixels_total', 'Megapixels of results');
  const failures = byClass('failures_total', 'Tries that failed, by class');
  const givenUp = byClass('given_up_total', 'Files moved to the failed ones, by class');
  const deaths = byClass('worker_deaths_total', 'Worker processes that died or were killed');
  const seconds = new Histogram({
    name: 'osediff_seconds_per_megapixel',
    help: 'Seconds from file to file, for each megapixel of the result',
    buckets,
    registers,
  });

  return {
    contentType: registry.contentType,
    onDone({ width, height, seconds: took }: DoneEvent) {
      const megapixels = (width * height) / 1e6;
      lastSuccess = Date.now();
      done.inc();
      pixels.inc(megapixels);
      seconds.observe(took / megapixels);
    },
    onFailed: (event) => givenUp.inc({ class: event.class }),
    onFailure: (kind) => failures.inc({ class: kind }),
    onDeath: (kind) => deaths.inc({ class: kind }),
    text: () => registry.metrics(),
  };
}
