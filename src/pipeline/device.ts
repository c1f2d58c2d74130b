/** @file Chooses where networks run: tries devices with a small model, and remembers what came of it. */
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  bindingFolder,
  environmentKey,
  obstacle,
  type Provider,
  providerOf,
} from '../runtime/provider.ts';
import { DeviceError, UsageError } from '../tensor/errors.ts';
import { startProcess } from '../tensor/thread.ts';
import { writeAtomically } from '../weights/atomic-file.ts';
import { dataFolder } from '../weights/data-folder.ts';
import { openDevice, ortCopy } from './gpu-folder.ts';
import type { Proof } from './proving.ts';

/** What was taken, and why. */
export interface Choice {
  /** `cpu`, `webgpu`, `cuda` or `cuda:N`. */
  readonly device: string;
  /** Of `auto`, one line: `cpu; not cuda: no NVIDIA driver is loaded; not webgpu: ...`. */
  readonly why?: string;
}

/** What tries devices and keeps answers, so that tests can bring another. */
export interface Trials {
  obstacle(provider: Provider): string | undefined;
  prove(device: string): Promise<Proof>;
  recall(): Promise<Answers>;
  remember(answers: Answers): Promise<void>;
}

/** Proofs by device. */
export type Answers = Readonly<Record<string, Proof>>;

/** Seconds that a trial may take: drivers compile their kernels at the first run. */
const patience = 120;

/**
 * The execution provider of a wish: `auto`, `cpu`, `webgpu`, `cuda` or `cuda:N`. Everything but the
 * processor must have computed a small model rightly once; the answer is kept in the data folder until
 * a driver or a version changes. `auto` takes CUDA, then WebGPU where it is faster than the processor,
 * then the processor.
 *
 * @throws UsageError for anything else
 * @throws DeviceError when the device that is named cannot be used
 */
export async function chooseDevice(wish: string, trials: Trials = here): Promise<Choice> {
  if (wish === 'cpu') return { device: 'cpu' };
  if (wish === 'auto') return chooseBest(trials);
  if (!/^(webgpu|cuda(:\d+)?)$/.test(wish)) {
    throw new UsageError(
      `device: expected auto, cpu, cuda, cuda:N or webgpu, got "${wish}". Say one of them.`,
    );
  }
  // Named, WebGPU may also be one in software; what was refused once is tried again.
  const obstacle = wish === 'webgpu' ? undefined : trials.obstacle(providerOf(wish));
  const fault = obstacle ?? (await proof(wish, trials, true)).reason;
  if (fault !== undefined) {
    throw new DeviceError(
      `${wish}: expected a device that works, got: ${fault}. "osediff doctor" says more; --device auto takes what works.`,
    );
  }
  openDevice(wish);
  return { device: wish };
}

async function chooseBest(trials: Trials): Promise<Choice> {
  const against: string[] = [];
  for (const device of ['cuda', 'webgpu'] as const) {
    const fault = trials.obstacle(device) ?? unfit(device, await proof(device, trials));
    if (fault === undefined) {
      openDevice(device);
      return { device, why: [device, ...against].join('; ') };
    }
    against.push(`not ${device}: ${fault}`);
  }
  return { device: 'cpu', why: ['cpu', ...against].join('; ') };
}

function unfit(device: string, { reason, seconds = 0, processor = 0 }: Proof): string | undefined {
  if (reason !== undefined) return reason;
  // Vulkan in software is right, but slow.
  if (device === 'cuda' || seconds <= processor) return undefined;
  const times = (seconds / processor).toPrecision(2);
  return `it takes ${times} times as long as the processor`;
}

/** The answer of a trial, made now unless one is remembered. */
async function proof(device: string, trials: Trials, again = false): Promise<Proof> {
  const answers = await trials.recall();
  const known = answers[device];
  if (known && (known.right || !again)) return known;
  const answer = await trials.prove(device);
  await trials.remember({ ...answers, [device]: answer });
  return answer;
}

/** Trials on this machine. */
export const here: Trials = {
  obstacle: (provider) => {
    const copy = ortCopy();
    const folder =
      copy && bindingFolder().replace(/^.*[\\/]node_modules(?=[\\/]onnxruntime-node)/, copy);
    return obstacle(provider, undefined, folder);
  },
  prove: proveInProcess,
  async recall() {
    try {
      const { key, answers } = JSON.parse(await readFile(answersFile(), 'utf8')) as {
        key: string;
        answers: Answers;
      };
      return key === environmentKey(packageVersion()) ? answers : {};
    } catch {
      return {}; // none yet, or of another format
    }
  },
  async remember(answers) {
    const text = JSON.stringify({ key: environmentKey(packageVersion()), answers }, null, 2);
    try {
      await mkdir(dirname(answersFile()), { recursive: true });
      await writeAtomically(answersFile(), async (file) => file.writeFile(`${text}\n`));
    } catch {
      // A folder that cannot be written to costs a trial each time, nothing else.
    }
  },
};

/** The file of remembered answers. */
export function answersFile(): string {
  return join(dataFolder(), 'devices.json');
}

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('osediff/package.json') as { version: string }).version;
}

/** Tries a device in a process of its own, which a bad driver may end. */
function proveInProcess(device: string): Promise<Proof> {
  return new Promise((resolve) => {
    const child = startProcess('./prove-worker', import.meta.url, [device]);
    let native = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (native += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), patience * 1000);
    const settle = (proof: Proof): void => {
      clearTimeout(timer);
      resolve(proof);
    };
    child.on('message', (proof: Proof) => settle(proof));
    child.on('error', (error) => settle({ right: false, reason: error.message }));
    child.on('exit', (code, signal) => {
      const last = native.trim().split('\n').at(-1) ?? '';
      settle({
        right: false,
        reason: `its driver ended the trial (${signal ?? code}) ${last}`.trim(),
      });
    });
  });
}
