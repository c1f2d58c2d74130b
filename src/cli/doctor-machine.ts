/** @file The doctor's look at everything but devices: versions, models, disk, ffmpeg and GIMP. */
import { execFile } from 'node:child_process';
import { readdir, stat, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { freemem, homedir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { onnxruntimeVersion } from '../runtime/provider.ts';
import { dataFolder } from '../weights/data-folder.ts';
import { type ListedModel, listModels, verifyModel } from '../weights/store.ts';
import { type Check, finding } from './doctor-check.ts';
import { errorMessage } from './errors.ts';

/** Everything but devices. */
export async function checkMachine(signal?: AbortSignal): Promise<readonly Check[]> {
  return [
    ...checkVersions(),
    checkMemory(),
    await checkDisk(),
    ...(await checkModels(signal)),
    await checkFfmpeg(),
    ...(await checkGimp()),
  ];
}

/** Oldest Node that the program runs on. */
const oldestNode = [20, 19] as const;

function checkVersions(node: string = process.versions.node): readonly Check[] {
  const require = createRequire(import.meta.url);
  const { version } = require('osediff/package.json') as { version: string };
  const [major, minor] = node.split('.').map(Number) as [number, number];
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  return [
    { name: 'osediff', state: 'ok', text: `${version} on ${process.platform} ${process.arch}` },
    isOld
      ? finding(
          'node',
          'fault',
          `${node} is too old: install Node ${oldestNode.join('.')} or later`,
        )
      : { name: 'node', state: 'ok', text: node },
    { name: 'onnxruntime-node', state: 'ok', text: onnxruntimeVersion() },
  ];
}

function checkMemory(): Check {
  const [free, total] = [freemem(), totalmem()].map((bytes) => (bytes / 1e9).toFixed(1));
  return { name: 'memory', state: 'ok', text: `${free} GB free of ${total} GB` };
}

/** A full-size model takes 5 GB in the store, and as much again prepared. */
const roomForModel = 10e9;

async function checkDisk(): Promise<Check> {
  const folder = dataFolder();
  const { bavail, bsize } = await statfs(await nearest(folder));
  const free = bavail * bsize;
  const text = `${(free / 1e9).toFixed(1)} GB free for ${folder}`;
  if (free >= roomForModel) return { name: 'disk', state: 'ok', text };
  return finding(
    'disk',
    free < 1e9 ? 'fault' : 'note',
    `${text}, a full-size model takes 10 GB: free space, or set OSEDIFF_HOME to another disk`,
  );
}

/** The folder, or the first above it that is there. */
async function nearest(folder: string): Promise<string> {
  const there = await stat(folder).catch(() => undefined);
  return there || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

async function checkModels(signal: AbortSignal | undefined): Promise<readonly Check[]> {
  const models = await listModels();
  const checks = await Promise.all(models.map((model) => checkModel(model, signal)));
  if (models.length > 0) return checks;
  return [
    finding('model', 'fault', 'there is none, not even the bundled one: install osediff again'),
  ];
}

async function checkModel(model: ListedModel, signal: AbortSignal | undefined): Promise<Check> {
  const name = `model ${model.name}`;
  const again = `remove it with "osediff model remove ${model.name}" and import it again`;
  if ('error' in model)
    return finding(name, 'fault', `${model.error.replaceAll(': ', ' - ')}: ${again}`);
  if (!model.manifest) return { name, state: 'ok', text: `${model.place}, in ${model.folder}` };
  const problems = await verifyModel(model, signal && { signal });
  if (problems.length === 0) {
    const count = Object.keys(model.manifest.files).length;
    return { name, state: 'ok', text: `${model.place}, SHA-256 of ${count} files right` };
  }
  const what = problems.map(({ file, problem }) => `${file} ${problem}`).join(', ');
  return finding(name, 'fault', `${what}: ${again}`);
}

async function checkFfmpeg(): Promise<Check> {
  try {
    const { stdout } = await promisify(execFile)('ffmpeg', ['-version'], { timeout: 10_000 });
    return {
      name: 'ffmpeg',
      state: 'ok',
      text: stdout.split('\n')[0]!.replace(/ Copyright.*/, ''),
    };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const text = missing ? 'not installed' : errorMessage(error).replaceAll(': ', ' - ');
    const slow = 'the one inside osediff is used, which is slower';
    return finding('ffmpeg', 'note', `${text}; ${slow}: install ffmpeg for films`);
  }
}

/** GIMP 3's settings folders, and whether our plug-in is in them. */
async function checkGimp(home: string = homedir()): Promise<readonly Check[]> {
  const bases = [
    process.env['GIMP3_DIRECTORY'] && dirname(process.env['GIMP3_DIRECTORY']),
    join(process.env['XDG_CONFIG_HOME'] || join(home, '.config'), 'GIMP'),
    join(home, '.var', 'app', 'org.gimp.GIMP', 'config', 'GIMP'),
    join(home, 'Library', 'Application Support', 'GIMP'),
    process.env['APPDATA'] && join(process.env['APPDATA'], 'GIMP'),
  ];
  const checks: Check[] = [];
  for (const base of bases) {
    if (!base) continue;
    for (const version of await readdir(base).catch(() => [])) {
      if (!/^3\.\d+$/.test(version)) continue;
      const plugIn = join(base, version, 'plug-ins', 'osediff-bridge', 'osediff-bridge.py');
      const there = await stat(plugIn).catch(() => undefined);
      checks.push(
        there
          ? { name: `gimp ${version}`, state: 'ok', text: plugIn }
          : finding(
              `gimp ${version}`,
              'note',
              `no plug-in in ${join(base, version)}: run "osediff gimp install"`,
            ),
      );
    }
  }
  return checks.length > 0
    ? checks
    : [{ name: 'gimp', state: 'ok', text: 'no GIMP 3 was started here' }];
}
