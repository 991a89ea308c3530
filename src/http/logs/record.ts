import { parseJson, utf8Decode, VerificationError } from '../../bytes/index.ts';
import { EventError, limits } from '../../event/index.ts';
import type { Receipt } from '../../log/index.ts';
import type { EventResult, ReceiptWire, RecordAnswer } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { problems } from './answers.ts';
import { claimOf } from './claim.ts';
import { type Desk, json, nothingHere, writable } from './deps.ts';
import { bytesOf } from './rows.ts';

/** Most events in one request. */
export const BATCH_EVENTS_MAX = 1000;

/** Most bytes of one request, decompressed. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;

type Outcome = { readonly receipt: Receipt } | { readonly error: unknown };
type Sent = { readonly value: unknown } | { readonly error: unknown };
type Proven = Pick<ReceiptWire, 'proof' | 'bytes'>;

/** `POST /v1/logs/{log}/events`. */
export function recordRoute(desk: Desk): Route {
  return {
    method: 'POST',
    path: '/v1/logs/{log}/events',
    operationId: 'recordEvents',
    summary: 'Records one event (an object), or many (an array, or NDJSON), durably, before it answers.',
    access: ['write'],
    query: {
      properties: { prove: { type: 'boolean', default: false, description: 'Proofs with the receipts.' } },
    },
    body: {
      contentTypes: ['application/json', 'application/x-ndjson'],
      bytesMax: BATCH_BYTES_MAX,
      schema: {
        anyOf: [{ type: 'object' }, { type: 'array', maxItems: BATCH_EVENTS_MAX }],
        description: 'Events as in spec/schemas; the id of an event makes repeating it safe.',
      },
    },
    answers: {
      200: { description: 'What became of each event, in their order.', schema: shape('RecordAnswer') },
      201: { description: 'The receipt of the one event.', schema: shape('Receipt') },
      ...problems(400, 404, 409, 422, 503),
    },
    handle: (call) => record(desk, call),
  };
}

async function record(desk: Desk, call: Call): Promise<Response> {
  // What the server says of itself, no credential says for it.
  if (call.log.name.startsWith('_')) throw nothingHere();
  writable(call);
  if (call.body.contentType === 'application/x-ndjson') {
    return many(desk, call, linesOf(await call.body.bytes()));
  }
  const body = await call.body.json();
  if (!Array.isArray(body)) return one(desk, call, body);
  if (body.length > BATCH_EVENTS_MAX) throw tooMany();
  return many(
    desk,
    call,
    body.map((value: unknown) => ({ value })),
  );
}

async function one(desk: Desk, call: Call, sent: unknown): Promise<Response> {
  const [outcome] = await recordAll(desk, call, [{ value: withKey(sent, call.request) }]);
  if ('error' in outcome!) throw outcome.error;
  const { receipt } = outcome!;
  const proven = call.query['prove'] === true ? await prove(call, [receipt]) : undefined;
  const answer: ReceiptWire = {
    ...receipt,
    ...proven?.proofs[0],
    ...(proven && { checkpoint: proven.checkpoint }),
  };
  const location = `/v1/logs/${call.log.name}/events/${encodeURIComponent(receipt.id)}`;
  return json(answer, { status: 201, headers: { location } });
}

async function many(desk: Desk, call: Call, sent: readonly Sent[]): Promise<Response> {
  if (call.request.headers.has('idempotency-key')) {
    throw new EventError('event_field_invalid', '', {
      rule: 'is one of many, which Idempotency-Key cannot name',
      hint: 'Give each event an id of its own.',
    });
  }
  const outcomes = await recordAll(desk, call, sent);
  const receipts = outcomes.flatMap((outcome) => ('receipt' in outcome ? [outcome.receipt] : []));
  const proven =
    call.query['prove'] === true && receipts.length > 0 ? await prove(call, receipts) : undefined;
  let done = 0;
  const results = outcomes.map((outcome): EventResult => {
    if ('error' in outcome) return { ok: false, problem: desk.problemOf(outcome.error) };
    const { checkpoint: _shared, ...receipt } = outcome.receipt;
    return { ok: true, receipt: { ...receipt, ...proven?.proofs[done++] } };
  });
  // Receipts of one batch may come from several commits: the one with the highest index covers them all.
  const last = receipts.reduce<Receipt | undefined>(newer, undefined);
  const checkpoint = proven?.checkpoint ?? last?.checkpoint;
  const answer: RecordAnswer = { results, ...(checkpoint === undefined ? {} : { checkpoint }) };
  return json(answer);
}

/** The receipt under the larger checkpoint; a repeat has a small index, and a checkpoint as new as any. */
function newer(left: Receipt | undefined, right: Receipt): Receipt {
  return left === undefined || sizeOf(right) > sizeOf(left) ? right : left;
}

function sizeOf({ checkpoint }: Receipt): number {
  return Number(checkpoint.split('\n', 2)[1]);
}

async function recordAll({ pulse }: Desk, call: Call, sent: readonly Sent[]): Promise<Outcome[]> {
  const log = writable(call);
  const outcomes = await Promise.all(
    sent.map(async (one): Promise<Outcome> => {
      if ('error' in one) return one;
      try {
        const { event, behalf } = claimOf(one.value, call.caller!);
        return { receipt: await log.recordFor(event, behalf) };
      } catch (error) {
        return { error };
      }
    }),
  );
  pulse.beat(call.log.name);
  return outcomes;
}

/** Proofs of what was recorded, all under one checkpoint. */
async function prove(
  { log }: Call,
  receipts: readonly Receipt[],
): Promise<{ readonly checkpoint: string; readonly proofs: readonly Proven[] }> {
  const proofs = await log.log.reader.proveMany(receipts.map(({ index }) => index));
  const { proof } = proofs[0]!;
  // The checkpoint of a proof file stands behind the first empty line (c2sp.org/tlog-proof).
  const checkpoint = proof.slice(proof.indexOf('\n\n') + 2);
  return { checkpoint, proofs: proofs.map((one) => ({ proof: one.proof, bytes: bytesOf(one) })) };
}

/** The event with `Idempotency-Key` for its id, if it has none. */
function withKey(sent: unknown, { headers }: Request): unknown {
  const key = headers.get('idempotency-key');
  if (key === null || typeof sent !== 'object' || sent === null) return sent;
  const { id } = sent as { readonly id?: unknown };
  if (id === undefined) return { ...sent, id: key };
  if (id === key) return sent;
  throw new EventError('event_field_invalid', '/id', {
    rule: 'differs from Idempotency-Key',
    hint: 'Send one of the two, or the same.',
  });
}

/** NDJSON: one event a line; empty lines are passed over. A line that is no JSON is refused alone. */
function linesOf(bytes: Uint8Array): Sent[] {
  const sent: Sent[] = [];
  for (const line of text(bytes).split('\n')) {
    if (line.trim() === '') continue;
    if (sent.length === BATCH_EVENTS_MAX) throw tooMany();
    sent.push(readLine(line));
  }
  return sent;
}

function readLine(line: string): Sent {
  try {
    return { value: parseJson(line) };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { error: notJson(error) };
  }
}

function text(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw notJson(error);
  }
}

function notJson(cause: VerificationError): EventError {
  const reason = { rule: `is not JSON: ${cause.message}`, hint: 'Send one JSON object a line, in UTF-8.' };
  return new EventError('event_value_invalid', '', reason, { cause });
}

function tooMany(): EventError {
  return new EventError('event_too_large', '', {
    rule: `is one of more than ${BATCH_EVENTS_MAX}`,
    hint: `Send at most ${BATCH_EVENTS_MAX} events, of ${limits.entryBytesMax} bytes each, in one request.`,
  });
}
