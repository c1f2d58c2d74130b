/** @file The doctor's look at devices: each is tried anew, and what is missing is named. */
import { chooseDevice, here, type Trials } from '../pipeline/device.ts';
import { gpuFolder, ortCopy } from '../pipeline/gpu-folder.ts';
import type { Proof } from '../pipeline/proving.ts';
import { type Card, hasCode, listCards } from '../runtime/gpu/card.ts';
import { libraryFolders, type Loaded, preloadNvidia } from '../runtime/preload.ts';
import {
  bindingFolder,
  cudaProvider,
  type Machine,
  nvidiaDriver,
  onnxruntimeVersion,
  oldestDriver,
  thisMachine,
} from '../runtime/provider.ts';
import { type Check, finding } from './doctor-check.ts';

/** What the look depends on, so that tests can break it. */
export interface Devices {
  readonly machine: Machine;
  readonly trials: Trials;
  readonly cards: () => Promise<readonly Card[] | undefined>;
  readonly preload: () => readonly Loaded[];
}

export const theseDevices: Devices = {
  machine: thisMachine,
  trials: here,
  cards: listCards,
  preload: () => preloadNvidia(libraryFolders(gpuFolder())),
};

/** The processor, CUDA with its driver, cards and libraries, WebGPU, and what `auto` takes. */
export async function checkDevices(devices: Devices = theseDevices): Promise<readonly Check[]> {
  const { trials } = devices;
  const fresh: Trials = { ...trials, recall: async () => Promise.resolve(known) };
  const known: Record<string, Proof> = {};
  const checks: Check[] = [await checkProcessor(trials), ...(await checkNvidia(devices))];
  for (const device of ['cuda', 'webgpu'] as const) {
    const obstacle = trials.obstacle(device);
    if (obstacle !== undefined) {
      checks.push(finding(device, 'note', obstacle));
      continue;
    }
    const proof = await trials.prove(device);
    known[device] = proof;
    checks.push(proofCheck(device, proof));
  }
  await trials.remember(known);
  const { device, why } = await chooseDevice('auto', fresh);
  checks.push({ name: 'auto', state: 'ok', text: why ?? device });
  return checks;
}

function proofCheck(device: string, { right, reason, seconds = 0, processor = 0 }: Proof): Check {
  if (!right) return finding(device, 'fault', reason ?? 'it does not work');
  const times = `${(seconds * 1000).toFixed(1)} ms, the processor ${(processor * 1000).toFixed(1)} ms`;
  return { name: device, state: 'ok', text: `computes the proving model rightly in ${times}` };
}

async function checkProcessor(trials: Trials): Promise<Check> {
  const proof = await trials.prove('cpu');
  if (proof.right) return { name: 'cpu', state: 'ok', text: 'computes the proving model rightly' };
  return {
    name: 'cpu',
    state: 'fault',
    text: proof.reason ?? 'it does not work',
    remedy: `Install onnxruntime-node ${onnxruntimeVersion()} again: "npm ci", or "ONNXRUNTIME_NODE_INSTALL=skip npm install".`,
  };
}

/** Driver, cards and libraries, where CUDA could be. */
async function checkNvidia({ machine, cards, preload }: Devices): Promise<readonly Check[]> {
  const { platform, arch } = machine;
  if (platform !== 'linux' || arch !== 'x64') return [];
  const driver = nvidiaDriver(machine);
  if (driver === undefined) return [];
  const checks: Check[] = [];
  const old = Number(driver.split('.')[0]) < oldestDriver;
  checks.push(
    old
      ? finding(
          'driver',
          'fault',
          `NVIDIA ${driver} is too old: update it to ${oldestDriver} or later`,
        )
      : { name: 'driver', state: 'ok', text: `NVIDIA ${driver}` },
  );
  checks.push(...cardChecks(await cards()));
  if (machine.exists(`${bindingFolder(machine)}/${cudaProvider}`) || ortCopy() !== undefined) {
    checks.push(...preload().map(libraryCheck));
  }
  return checks;
}

function cardChecks(cards: readonly Card[] | undefined): readonly Check[] {
  if (cards === undefined) {
    return [
      finding('card', 'note', 'nvidia-smi is not there or fails: install it with the driver'),
    ];
  }
  if (cards.length === 0) {
    return [finding('card', 'fault', 'no NVIDIA card is visible: check CUDA_VISIBLE_DEVICES')];
  }
  return cards.map(({ name, capability }) =>
    hasCode(capability)
      ? { name: 'card', state: 'ok', text: `${name}, compute capability ${capability}` }
      : finding(
          'card',
          'fault',
          `${name} has compute capability ${capability}, for which onnxruntime has no code: use --device webgpu`,
        ),
  );
}

function libraryCheck({ file, needed, path, reason }: Loaded): Check {
  if (path !== undefined) return { name: file, state: 'ok', text: path };
  const state = needed ? 'fault' : 'note';
  return {
    name: file,
    state,
    text: reason ?? 'not found',
    remedy: 'Run "osediff gpu install".',
  };
}
