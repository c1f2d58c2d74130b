import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PathError } from '../../src/tensor/errors.ts';
import { writeAtomically } from '../../src/weights/atomic-file.ts';
import { temporaryFolder } from '../helpers/folder.ts';

test('a file takes the place of an old one when it is complete', async (t) => {
  const path = join(temporaryFolder(t), 'x');
  await writeFile(path, 'old');
  await writeAtomically(path, async (file) => {
    await file.writeFile('ne');
    t.is(await readFile(path, 'utf8'), 'old');
    await file.writeFile('w');
  });
  t.is(await readFile(path, 'utf8'), 'new');
});

const says = test.macro({
  async exec(t, code: string, message: RegExp) {
    const folder = temporaryFolder(t);
    const path = join(folder, 'x');
    const write = async (): Promise<never> => {
      throw Object.assign(new Error('system call'), { code });
    };
    const error = await t.throwsAsync(() => writeAtomically(path, write), {
      instanceOf: PathError,
    });
    t.true(error.message.startsWith(`${path}: `));
    t.regex(error.message, message);
    t.is((error.cause as NodeJS.ErrnoException).code, code);
    t.deepEqual(await readdir(folder), []);
  },
  title: (_, code) => `${String(code)} is said in words, and nothing is left`,
});

test(says, 'ENOSPC', /the disk is full\. Free some space/);
test(says, 'EDQUOT', /quota/);
test(says, 'EROFS', /read-only/);
test(says, 'EACCES', /permission denied/);

test('an error that is ours comes through as it is', async (t) => {
  const bug = new TypeError('a bug');
  const write = async (): Promise<never> => {
    throw bug;
  };
  t.is(await t.throwsAsync(() => writeAtomically(join(temporaryFolder(t), 'x'), write)), bug);
});
