/** @file The program with the one command `degrade`, to be run in a process of its own. */
import { addDegrade } from '../../src/cli/commands/degrade.ts';
import { runProcess } from '../../src/cli/process.ts';

await runProcess({ degrade: () => Promise.resolve(addDegrade) });
