/** @file `osediff doctor`: what works here, what does not, and what to do about it. */
import type { Command } from 'commander';
import { exitCodes } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';

/** Add the command to a program. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'look at versions, devices, models, disk, ffmpeg and GIMP, with a remedy for each fault',
    )
    .option('--json', 'print one JSON array')
    .action((flags: { readonly json?: true }) => examine(flags));
}

async function examine({ json }: { readonly json?: true }): Promise<void> {
  const signal = interruptSignal();
  const { checksText } = await import('../doctor-check.ts');
  const { checkDevices } = await import('../doctor-devices.ts');
  const { checkMachine } = await import('../doctor-machine.ts');
  const checks = [...(await checkMachine(signal)), ...(await checkDevices())];
  process.stdout.write(json ? `${JSON.stringify(checks, null, 2)}\n` : checksText(checks));
  if (checks.some(({ state }) => state === 'fault')) process.exitCode = exitCodes.failed;
}
