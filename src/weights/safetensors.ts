/** @file Reading safetensors files by ranges (the format of github: huggingface/safetensors). */
import { viewBytes } from '../tensor/dtype.ts';
import { FormatError, WeightError } from '../tensor/errors.ts';
import { tensor } from '../tensor/tensor.ts';
import { quoted } from './quoted.ts';
import { openRangeFile, type RangeFile } from './range-file.ts';
import { largestHeader, parseHeader, type Header } from './safetensors-header.ts';
import type { WeightSource } from './source.ts';

/** An open safetensors file. */
export interface Safetensors extends WeightSource {
  /** The strings of its `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Opens a safetensors file: its header is read and checked, its tensors are read when asked for.
 *
 * @throws PathError when the file cannot be read
 * @throws FormatError when the header fails a check of `parseHeader`
 */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const file = await openRangeFile(path);
  try {
    const { header, dataStart } = await readHeader(file);
    const { label } = file;
    return {
      label,
      entries: header.tensors,
      metadata: header.metadata,
      close: () => file.close(),
      async read(key) {
        const placed = header.tensors.get(key);
        if (!placed) throw new WeightError(`${label}: has no tensor ${quoted(key)}.`);
        const bytes = await file.read(dataStart + placed.start, placed.end - placed.start);
        return tensor(placed.dtype, placed.shape, viewBytes(placed.dtype, bytes));
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The header, and where in the file the data begins. */
async function readHeader(file: RangeFile): Promise<{ header: Header; dataStart: number }> {
  const { label, size } = file;
  if (size < 8) {
    throw new FormatError(
      `${label}: expected a safetensors file, got ${size} bytes. Download it again.`,
    );
  }
  const length = new DataView((await file.read(0, 8)).buffer).getBigUint64(0, true);
  if (length > BigInt(Math.min(largestHeader, size - 8))) {
    throw new FormatError(
      `${label}: expected a header of at most ${Math.min(largestHeader, size - 8)} bytes, got ${length}: no safetensors file, or one cut short. Download it again.`,
    );
  }
  const bytes = await file.read(8, Number(length));
  const dataStart = 8 + Number(length);
  return { header: parseHeader(decode(bytes, label), size - dataStart, label), dataStart };
}

function decode(bytes: Uint8Array, label: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(`${label}: expected a header in UTF-8.`, { cause: error });
  }
}
