import test from 'ava';
import { buildPrompt } from '../../src/text/prompt.ts';

test('tags come first and every part ends in a comma', (t) => {
  t.is(buildPrompt(['building', 'sky'], 'sharp'), 'building, sky, sharp,');
});

test('an empty prompt keeps its place behind the tags', (t) => {
  t.is(buildPrompt(['building', 'sky'], ''), 'building, sky, ,');
});

test('without tags the prompt stays as it is', (t) => {
  t.is(buildPrompt([], 'a person, best quality'), 'a person, best quality');
  t.is(buildPrompt([], ''), '');
});
