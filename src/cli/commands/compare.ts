/** @file `osediff compare`: two pictures under one slider, and how far apart they are. */
import type { Command } from 'commander';
import type { ReportOptions } from '../report.ts';

interface Flags {
  readonly output?: string;
  readonly crop?: string;
  readonly overwrite?: true;
  readonly json?: true;
}

/** Add the command to a program; `report` says where it prints. */
export function addCompare(program: Command, report: ReportOptions = {}): void {
  program
    .command('compare')
    .description('compare two pictures: PSNR, SSIM, and a page with a slider')
    .argument('<before>', 'a picture file; enlarged to the size of the other')
    .argument('<after>', 'a picture file')
    .option('-o, --output <file>', 'write a page that shows both, to be zoomed into')
    .option('--crop <file>', 'write a PNG of the liveliest place of both, side by side')
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object')
    .action(async (before: string, after: string, flags: Flags) => {
      const { comparePictures } = await import('../compare-pictures.ts');
      const { output, crop, overwrite = false, json = false } = flags;
      const files = {
        ...(output !== undefined && { page: output }),
        ...(crop !== undefined && { crop }),
      };
      await comparePictures(before, after, { ...files, overwrite, json }, report.stdout);
    });
}
