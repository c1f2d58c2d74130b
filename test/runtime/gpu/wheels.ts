/** @file Small stand-ins for the wheels of CUDA, and a server for them that misbehaves on request. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import type { Wheel } from '../../../src/runtime/gpu/releases.ts';
import { zipBytes } from '../../helpers/checkpoints.ts';

/** A wheel and its bytes. */
export interface StandIn {
  readonly wheel: Wheel;
  readonly bytes: Uint8Array;
}

/** @param files names in the wheel, each holding its own name */
function standIn(
  name: string,
  files: readonly string[],
  takes: RegExp,
  provides: string[],
): StandIn {
  const contents = [...files, `${name}.dist-info/licenses/License.txt`, `${name}/notes.py`];
  const entries = contents.map((file) => [file, deflateRawSync(Buffer.from(file))] as const);
  const bytes = zipBytes(entries, { method: 8 });
  const wheel: Wheel = {
    name,
    version: '1',
    url: `https://files.pythonhosted.org/packages/ab/${name}-1.whl`,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    provides,
    takes,
    licence: 'none',
  };
  return { wheel, bytes };
}

const provider = ['cuda', 'shared'].map((part) => `libonnxruntime_providers_${part}.so`);

/** The provider and one library of NVIDIA's. */
export const standIns: readonly StandIn[] = [
  standIn(
    'onnxruntime-gpu',
    [...provider, 'libonnxruntime_providers_tensorrt.so'].map((f) => `onnxruntime/capi/${f}`),
    /^onnxruntime\/capi\/libonnxruntime_providers_(cuda|shared)\.so$/,
    provider,
  ),
  standIn('nvidia-cudnn', ['nvidia/cudnn/lib/libcudnn.so.9'], /^nvidia\/.*\.so(\.\d+)*$/, [
    'libcudnn.so.9',
  ]),
];

/** How the server behaves; it may be changed while it runs. */
export interface Manners {
  /** Ends the connection after this many bytes of a body. */
  cut?: number;
  /** Answers everything with this status. */
  status?: number;
  /** Flips a bit. */
  spoil?: boolean;
  /** Sends the whole file whatever range is asked for. */
  ignoreRange?: boolean;
}

/** The server, its address, and the ranges that it was asked for. */
export async function serveWheels(
  t: ExecutionContext,
  manners: Manners = {},
): Promise<{ url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const server: Server = createServer((request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    const found = standIns.find(({ wheel }) => wheel.url.endsWith(request.url!.split('/').at(-1)!));
    if (manners.status !== undefined || !found) {
      response.writeHead(manners.status ?? 404).end();
      return;
    }
    const from = range && !manners.ignoreRange ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
    const body = Buffer.from(found.bytes.subarray(from));
    if (manners.spoil) body[10]! ^= 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length });
    if (manners.cut === undefined) response.end(body);
    else response.write(body.subarray(0, manners.cut), () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ranges };
}
