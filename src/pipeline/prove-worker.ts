/** @file The process in which a device is tried: `prove-worker DEVICE` answers with one message. */
import { openDevice } from './gpu-folder.ts';
import { prove } from './proving.ts';

const device = process.argv[2]!;
openDevice(device);
process.send!(await prove(device), () => process.exit(0));
