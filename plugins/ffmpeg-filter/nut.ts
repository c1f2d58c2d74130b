/** @file The NUT container for one video stream (its specification): what reader and writer share, and the writer. */

/** The stream's header. */
export interface NutStream {
  readonly fourcc: string;
  /** Seconds a tick, as a fraction. */
  readonly timeBase: readonly [number, number];
  /** Frames that are decoded before they are shown. */
  readonly decodeDelay: number;
  readonly extradata: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Sample aspect ratio; 0/0 or 0/1 when unknown. */
  readonly sar: readonly [number, number];
}

/** A frame, raw or coded. */
export interface NutFrame {
  /** In ticks. */
  readonly pts: number;
  readonly key: boolean;
  readonly data: Buffer;
}

export const fileId: Buffer = Buffer.from('nut/multimedia container\0', 'latin1');

/** Start codes without their first byte, 'N'. */
export const startCodes = {
  main: '4d7a561f5f04ad',
  stream: '5311405bf2f9db',
  sync: '4be4adeeca4569',
} as const;

export const flags = {
  key: 1,
  endOfRelevance: 2,
  codedPts: 8,
  streamId: 16,
  sizeMsb: 32,
  checksum: 64,
  reserved: 128,
  headerIndex: 1024,
  matchTime: 2048,
  coded: 4096,
  invalid: 8192,
} as const;

/** Times from this many bits on are written whole. */
const shift = 14;

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let crc = i << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/** CRC-32 of polynomial 0x04C11DB7, most significant bit first, starting at 0. */
function checksum(bytes: Uint8Array): Buffer {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ crcTable[(crc >>> 24) ^ byte]!) >>> 0;
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc);
  return out;
}

/** A number of variable length: 7 bits a byte, the highest bit saying that more follow. */
function number(value: number): Buffer {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(128 | (rest % 128));
  }
  return Buffer.from(bytes);
}

function blob(bytes: Uint8Array): Buffer {
  return Buffer.concat([number(bytes.length), bytes]);
}

function packet(code: string, body: Buffer): Buffer {
  const head = Buffer.concat([Buffer.from(`4e${code}`, 'hex'), number(body.length + 4)]);
  const headSum = body.length + 4 > 4096 ? [checksum(head)] : [];
  return Buffer.concat([head, ...headSum, body, checksum(body)]);
}

/** All that comes before the first frame. */
export function nutHeader(stream: NutStream): Buffer {
  const { fourcc, timeBase, decodeDelay, extradata, width, height, sar } = stream;
  // Version 3, one stream, one time base; one row of frame codes, all saying that everything is
  // written in the frame itself (255 of them: 'N' is left out); no bytes elided.
  const row = [flags.coded, 6, 0, 1, 0, 0, 0, 255].map(number);
  const main = Buffer.concat([...[3, 1, 65536, 1, ...timeBase].map(number), ...row, number(0)]);
  const body = Buffer.concat([
    ...[0, 0].map(number), // stream 0, video
    blob(Buffer.from(fourcc, 'latin1')),
    ...[0, shift, timeBase[1], decodeDelay, 0].map(number),
    blob(extradata),
    ...[width, height, ...sar, 0].map(number),
  ]);
  return Buffer.concat([fileId, packet(startCodes.main, main), packet(startCodes.stream, body)]);
}

/**
 * What comes before the bytes of a frame.
 *
 * @param pts in ticks, at least 0
 */
export function nutFrameHead(pts: number, size: number, key = true): Buffer {
  // Readers give up on what lies more than 64 KiB behind a sync point: every frame has one.
  const sync = packet(startCodes.sync, Buffer.concat([number(pts), number(0)]));
  const set = (key ? flags.key : 0) | flags.codedPts | flags.sizeMsb | flags.checksum;
  const head = Buffer.concat([Buffer.from([0]), ...[set, pts + 2 ** shift, size].map(number)]);
  return Buffer.concat([sync, head, checksum(head)]);
}
