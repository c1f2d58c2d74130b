import test from 'ava';
import { buildPrompt } from '../../src/text/prompt.ts';

test('tags come first and every part ends in a comma', (t) => {
  t.is(buildPrompt(['building', 'sky'], 'sharp'), 'building, sky, sharp,');
});

test('an empty prompt keeps its place behind the tags', (t) => {
  t.is(buildPrompt(['building', 'sky'], ''), 'building, sky, ,');
});

test('without tags their comma stands alone, as in the official program', (t) => {
  t.is(buildPrompt([], 'a person, best quality'), ', a person, best quality,');
});
