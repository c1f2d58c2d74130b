/** @file The one place that loads sharp: on first use, and without its cache of open files. */
import type { default as Sharp } from 'sharp';

let loading: Promise<typeof Sharp> | undefined;

async function load(): Promise<typeof Sharp> {
  const { default: sharp } = await import('sharp');
  // The cache goes by file name: a file that was written again would be read as it was before.
  sharp.cache(false);
  return sharp;
}

/** sharp, loaded when a picture first needs it: commands without pictures start without it. */
export function loadSharp(): Promise<typeof Sharp> {
  return (loading ??= load());
}
