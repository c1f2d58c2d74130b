import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { explainPathError } from '../../src/image/path-errors.ts';
import { writeFileSafely } from '../../src/image/safe-write.ts';
import { PathError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const bytes = new Uint8Array([1, 2, 3]);

test('a file appears whole and alone', async (t) => {
  const folder = temporaryFolder(t);
  await writeFileSafely(path.join(folder, 'a.png'), bytes);
  t.deepEqual(await readdir(folder), ['a.png']);
  t.deepEqual([...(await readFile(path.join(folder, 'a.png')))], [1, 2, 3]);
});

test('an existing file is refused and left alone, or replaced when told so', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'a.png');
  await writeFile(file, 'old');
  const error = await t.throwsAsync(writeFileSafely(file, bytes), { instanceOf: PathError });
  t.is(
    error.message,
    `${file}: expected no such file yet, got one (EEXIST). Use --overwrite or another name.`,
  );
  t.is(await readFile(file, 'utf8'), 'old');
  await writeFileSafely(file, bytes, { overwrite: true });
  t.is((await readFile(file)).length, 3);
  t.deepEqual(await readdir(folder), ['a.png']);
});

test('of two writers of one name, one wins and the other is told', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.png');
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => writeFileSafely(file, bytes)));
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  t.deepEqual(await readdir(path.dirname(file)), ['a.png']);
});

test('a write that fails leaves the old file whole and nothing beside it', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'a.png');
  await writeFile(file, 'old');
  const unwritable = 5 as unknown as Uint8Array;
  await t.throwsAsync(writeFileSafely(file, unwritable, { overwrite: true }), {
    instanceOf: TypeError,
  });
  t.deepEqual(await readdir(folder), ['a.png']);
  t.is(await readFile(file, 'utf8'), 'old');
});

test('a process that exits in the middle of writing takes its half file along', async (t) => {
  const folder = temporaryFolder(t);
  const module = new URL('../../src/image/safe-write.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ writeFileSafely }) => {
    writeFileSafely('a.png', new Uint8Array(3e8));
    const { readdirSync } = process.getBuiltinModule('node:fs');
    setInterval(() => {
      const parts = readdirSync('.').filter((f) => f.endsWith('.part'));
      if (parts.length > 0) { console.log(parts.length); process.exit(3); }
    }, 1);
  })`;
  const [exit, output] = await new Promise<[unknown, string]>((resolve) => {
    const flags = ['--import', import.meta.resolve('tsx'), '-e', code];
    execFile(process.execPath, flags, { cwd: folder }, (error, out) => resolve([error?.code, out]));
  });
  t.is(exit, 3);
  t.is(output.trim(), '1');
  t.deepEqual(await readdir(folder), []);
});

test('a missing folder, a file for a folder and a folder for a file are path errors', async (t) => {
  const folder = temporaryFolder(t);
  await writeFile(path.join(folder, 'file'), '');
  await t.throwsAsync(writeFileSafely(path.join(folder, 'none', 'a.png'), bytes), {
    instanceOf: PathError,
    message: /none: expected an existing file or folder, got none \(ENOENT\)\. /,
  });
  await t.throwsAsync(writeFileSafely(path.join(folder, 'file', 'a.png'), bytes), {
    instanceOf: PathError,
    message: /\(ENOTDIR\)\. Check/,
  });
  await t.throwsAsync(writeFileSafely(folder, bytes, { overwrite: true }), {
    instanceOf: PathError,
  });
});

for (const code of ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'ENAMETOOLONG', 'EIO']) {
  test(`${code} is one line with the path, the code and a remedy`, (t) => {
    const cause = Object.assign(new Error('low level'), { code });
    const error = explainPathError(cause, '/out/a.png') as PathError;
    t.true(error instanceof PathError);
    t.regex(error.message, /^\/out\/a\.png: expected [^.\n]*, got [^.\n]*\. [A-Z][^\n]*\.$/);
    t.true(error.message.includes(`(${code})`));
    t.is(error.cause, cause);
  });
}

test('what is no file error comes back as it is', (t) => {
  const bug = new TypeError('bug');
  t.is(explainPathError(bug, 'a'), bug);
  t.is(explainPathError(undefined, 'a'), undefined);
});
