import { SIZE_MEDIA_TYPE } from '../anchor/index.ts';
import { LogError } from '../store/index.ts';
import type { Verdict, Witness } from './witness.ts';

/** Bytes of a request: a proof of 63 hashes, and a checkpoint with an ML-DSA signature, take half of it. */
export const WITNESS_REQUEST_BYTES_MAX = 16_384;

/** Hears what a witness does; never a secret, and nothing that a stranger could fill a disk with. */
export interface WitnessLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const text = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' } as const;

const checkpointPath = /^\/([0-9a-f]{64})\/checkpoint$/;

/**
 * What a witness answers over HTTP: `POST /add-checkpoint`, and `GET /<SHA-256 of the origin>/checkpoint` for whoever monitors it
 * (c2sp.org/tlog-witness). Never rejects.
 */
export function createWitnessHandler(
  witness: Witness,
  logger: WitnessLogger,
): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await answer(witness, logger, request);
    } catch (error) {
      const { message } = error as Error;
      logger.error(
        { error: message, code: error instanceof LogError ? error.code : undefined },
        'the witness failed',
      );
      return new Response('the witness cannot answer now\n', { status: 503, headers: text });
    }
  };
}

async function answer(witness: Witness, logger: WitnessLogger, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/add-checkpoint') {
    if (request.method !== 'POST') return notAllowed('POST');
    const body = await readBody(request);
    if (body === undefined) {
      return new Response(`a request has at most ${WITNESS_REQUEST_BYTES_MAX} bytes\n`, {
        status: 413,
        headers: text,
      });
    }
    return respond(witness.addCheckpoint(body), logger);
  }
  const originHash = checkpointPath.exec(pathname)?.[1];
  if (originHash === undefined) return new Response('nothing is here\n', { status: 404, headers: text });
  if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed('GET, HEAD');
  const note = witness.checkpoint(originHash);
  if (note === undefined) return new Response('nothing is here\n', { status: 404, headers: text });
  const headers = { ...text, 'cache-control': 'no-cache', 'access-control-allow-origin': '*' };
  return new Response(request.method === 'HEAD' ? null : (note as Uint8Array<ArrayBuffer>), { headers });
}

function respond(verdict: Verdict, logger: WitnessLogger): Response {
  const { status } = verdict;
  if (status === 200) {
    const { origin, size, lines } = verdict;
    logger.info({ origin, size }, 'cosigned');
    return new Response(lines.map((line) => `${line}\n`).join(''), { headers: text });
  }
  if (status === 409) {
    return new Response(`${verdict.size}\n`, {
      status,
      headers: { ...text, 'content-type': SIZE_MEDIA_TYPE },
    });
  }
  // Only who holds the log's key comes as far as this: a history that does not continue is news.
  if (status === 422) logger.warn({ status, why: verdict.why }, 'refused to cosign');
  return new Response(`${verdict.why}\n`, { status, headers: text });
}

function notAllowed(allow: string): Response {
  return new Response('not so\n', { status: 405, headers: { ...text, allow } });
}

/** The whole body; undefined where it is longer than it may be. */
async function readBody(request: Request): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request.body ?? []) {
    length += part.length;
    if (length > WITNESS_REQUEST_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
