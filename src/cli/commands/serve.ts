/** @file `osediff serve`: keeps a model warm for GIMP and other programs of this user. */
import { Option, type Command } from 'commander';
import { interruptSignal } from '../interrupt.ts';
import { device, integerFrom } from '../parse.ts';

interface Flags {
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly idle: number;
}

/** Add the command to a program. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .description('serve GIMP and other local programs, until nobody has asked for a while')
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(
      new Option('--precision <type>', 'arithmetic of the networks')
        .choices(['fp32', 'fp16'])
        .default('fp32'),
    )
    .option('--idle <seconds>', 'stop after so long without a job; 0 never', integerFrom(0), 900)
    .action((flags: Flags) => serve(flags));
}

async function serve({ device, precision, idle }: Flags): Promise<void> {
  const { endpointFile } = await import('../../../plugins/gimp-bridge/endpoint.ts');
  const { findService } = await import('../../../plugins/gimp-bridge/find.ts');
  const file = endpointFile();
  const running = await findService(file);
  if (running) {
    process.stderr.write(`process ${running.pid} serves already at 127.0.0.1:${running.port}\n`);
    process.stdout.write(`${file}\n`);
    return;
  }
  const { startService } = await import('../../../plugins/gimp-bridge/server.ts');
  const service = await startService({ file, device, precision, idle: idle * 1000 });
  const signal = interruptSignal();
  signal.addEventListener('abort', () => void service.close(), { once: true });
  process.stderr.write(`serving at 127.0.0.1:${service.port}; the token is in the file\n`);
  process.stdout.write(`${file}\n`);
  await service.closed;
}
