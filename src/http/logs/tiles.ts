import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { VerificationError } from '../../bytes/index.ts';
import { isLogError, type Log, parseStampPath, type SignedCheckpoint, stampFile } from '../../log/index.ts';
import { parseEntriesPath, parseTilePath } from '../../merkle/index.ts';
import type { Call, Route } from '../route.ts';
import { problems } from './answers.ts';
import { type Desk, nothingHere } from './deps.ts';

const compress = promisify(gzip);

/** A tile never changes: whoever has it need not ask again. */
const FOR_EVER = 'max-age=604800, immutable';

const octets = { contentType: 'application/octet-stream' };

/** The read side of c2sp.org/tlog-tiles: `/logs/{log}/checkpoint`, `/tile/…`, `/tile/entries/…`; and `/timestamps/…`. */
export function tileRoutes(desk: Desk): Route[] {
  const tree = { method: 'GET', access: 'public', forViewerTokens: true } as const;
  return [
    {
      ...tree,
      path: '/logs/{log}/checkpoint',
      operationId: 'getCheckpoint',
      summary:
        'The newest checkpoint that the witnesses have cosigned, where the log has any; else the newest (c2sp.org/tlog-checkpoint).',
      query: {
        properties: {
          newest: {
            type: 'boolean',
            description: 'The newest of all, which covers every entry, and which no witness has seen yet.',
          },
        },
      },
      answers: { 200: { description: 'A signed note.', contentType: 'text/plain' }, ...problems(404) },
      handle: async ({ log, query }) => {
        const { note } = await (query['newest'] === true ? log.log.checkpoint() : cosigned(log.log));
        return new Response(note, {
          headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' },
        });
      },
    },
    {
      method: 'GET',
      access: ['read', 'audit'],
      path: '/logs/{log}/tile/entries/{bundle+}',
      operationId: 'getEntryBundle',
      summary: 'A bundle of up to 256 entries (c2sp.org/tlog-tiles), without their disclosures.',
      answers: { 200: { description: 'Entries behind their lengths.', ...octets }, ...problems(404) },
      handle: (call) => bundle(desk, call),
    },
    {
      ...tree,
      path: '/logs/{log}/tile/{tile+}',
      operationId: 'getTile',
      summary: 'A tile of up to 256 hashes (c2sp.org/tlog-tiles).',
      answers: { 200: { description: 'Hashes of 32 bytes.', ...octets }, ...problems(404) },
      handle: async ({ log, params, caller }) => {
        const tile = orNothing(() => parseTilePath(`tile/${params['tile']}`));
        const hashes = await log.log.reader.tile(tile);
        if (hashes === undefined) throw nothingHere();
        return immutable(hashes, caller === undefined);
      },
    },
    stampRoute(tree),
  ];
}

/** The time-stamps that `anchors.db` keeps, as a published log has them. */
function stampRoute(tree: Pick<Route, 'method' | 'access' | 'forViewerTokens'>): Route {
  return {
    ...tree,
    path: '/logs/{log}/timestamps/{stamp+}',
    operationId: 'getTimestamp',
    summary: 'A time-stamp (RFC 3161) over a checkpoint of the log, under its number.',
    answers: { 200: { description: 'Canonical JSON.', ...octets }, ...problems(404) },
    handle: async ({ log: { log }, params, caller }) => {
      const number = orNothing(() => parseStampPath(`timestamps/${params['stamp']}`));
      // None is ahead of the checkpoint that readers get.
      const { size } = await cosigned(log);
      const file = stampFile(log.anchorsPath, number, size);
      if (file === undefined) throw nothingHere();
      return immutable(file, caller === undefined);
    },
  };
}

/** What a reader finds cosigned it can believe; a log whose witnesses have signed nothing yet shows what it has. */
async function cosigned(log: Log): Promise<SignedCheckpoint> {
  if (log.witnessPolicy === undefined) return log.checkpoint();
  return log.checkpoint({ witnessed: true }).catch((error: unknown) => {
    if (isLogError(error, 'not_witnessed')) return log.checkpoint();
    throw error;
  });
}

async function bundle({ logs }: Desk, call: Call): Promise<Response> {
  const { log, params, caller, request } = call;
  // A bundle shows entries whatever a filter says, so who sees a part does not get any.
  if (caller?.filter !== undefined) throw nothingHere();
  const { index, width } = orNothing(() => parseEntriesPath(`tile/entries/${params['bundle']}`));
  const bytes = await log.log.reader.bundle(index, width);
  if (bytes === undefined) throw nothingHere();
  logs.views.saw(call, {
    indexes: Array.from({ length: width }, (_, position) => index * 256 + position),
    fields: ['bundle'],
  });
  const answer = immutable(bytes, false);
  answer.headers.set('vary', 'origin, accept-encoding, authorization, cookie');
  if (
    !/(?:^|[,\s])gzip(?:$|[,;\s])(?!\s*q=0(?:\.0*)?(?:$|[,\s]))/.test(
      request.headers.get('accept-encoding') ?? '',
    )
  )
    return answer;
  const packed = new Response((await compress(bytes)) as Uint8Array<ArrayBuffer>, {
    headers: answer.headers,
  });
  packed.headers.set('content-encoding', 'gzip');
  return packed;
}

/** A partial tile is the beginning of what comes later, so it may be kept as well. */
function immutable(bytes: Uint8Array, isPublic: boolean): Response {
  const headers = {
    'content-type': octets.contentType,
    'cache-control': `${isPublic ? 'public' : 'private'}, ${FOR_EVER}`,
    // What a browser keeps for the server's own page lacks the header that lets an embedding page read it.
    vary: 'origin',
  };
  return new Response(bytes as Uint8Array<ArrayBuffer>, { headers });
}

/** A path that names no tile names nothing that is here. */
function orNothing<Result>(parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (error instanceof VerificationError) throw nothingHere();
    throw error;
  }
}
