import { parseDecimal, utf8Encode, VerificationError } from '../../bytes/index.ts';
import { matches } from '../../event/index.ts';
import { LogError } from '../../log/index.ts';
import { systemClock } from '../../platform/index.ts';
import type { StreamEvent } from '../../wire/index.ts';
import type { Call, Route, TakenLog } from '../route.ts';
import { problems, querySchema } from './answers.ts';
import { type Asked, askedOf, fieldsOf } from './asked.ts';
import { type Desk, nothingHere } from './deps.ts';
import { wireEvent } from './rows.ts';

/** How often entries of other processes are looked for, milliseconds; those recorded here are told at once. */
const POLL_MS = 500;

/** After so long without a word there is one that says nothing, milliseconds: proxies end what is silent. */
const SILENCE_MS = 15_000;

/** A stream ends after so long, milliseconds: whoever resumes it shows a credential again. */
const STREAM_MS_MAX = 300_000;

/** Entries that are read at once. */
const READ_ENTRIES = 256;

/** `GET /v1/logs/{log}/stream`. */
export function streamRoute(desk: Desk): Route {
  return {
    method: 'GET',
    path: '/v1/logs/{log}/stream',
    operationId: 'streamEvents',
    summary: 'Events as they are recorded (server-sent events; the id is the index). Last-Event-ID resumes.',
    access: ['read', 'audit'],
    forViewerTokens: true,
    query: {
      properties: {
        q: querySchema,
        from: {
          type: 'integer',
          minimum: 0,
          description: 'The first index, where there is no Last-Event-ID.',
        },
        include: { enum: ['entry'], description: 'The exact bytes of each entry, to be checked.' },
      },
    },
    answers: {
      200: { description: 'Events of the name event; ends now and then.', contentType: 'text/event-stream' },
      ...problems(400, 404),
    },
    handle: (call) => start(desk, call),
  };
}

async function start(desk: Desk, call: Call): Promise<Response> {
  const asked = askedOf(call);
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  };
  if (call.request.method === 'HEAD') return new Response(null, { headers });
  const leave = desk.streams.take(call.caller!);
  const taken = await desk.logs.take(call.log.name).catch((error: unknown) => {
    leave();
    throw error;
  });
  if (taken === undefined) {
    leave();
    throw nothingHere();
  }
  try {
    const { size } = await taken.log.checkpoint();
    const next = Math.min(nextIndex(call) ?? size, size);
    const tail = new Tail(desk, { call, asked, taken, next, leave });
    return new Response(tail.stream(), { headers });
  } catch (error) {
    taken.release();
    leave();
    throw error;
  }
}

/** Where to go on. A Last-Event-ID that is none of ours is as good as none. */
function nextIndex({ request, query }: Call): number | undefined {
  const last = request.headers.get('last-event-id');
  const from = query['from'] as number | undefined;
  if (last === null) return from;
  try {
    return parseDecimal(last) + 1;
  } catch (error) {
    if (error instanceof VerificationError) return from;
    throw error;
  }
}

interface TailParts {
  readonly call: Call;
  readonly asked: Asked;
  readonly taken: TakenLog;
  readonly next: number;
  /** Gives the place of this stream back. */
  readonly leave: () => void;
}

/** One stream under way. */
class Tail {
  readonly #desk: Desk;
  readonly #parts: TailParts;
  readonly #gone = new AbortController();
  readonly #begun = systemClock.monotonic();
  #next: number;
  #said = systemClock.monotonic();
  // Whoever does not read is not asked whether it is over: it ends all the same.
  readonly #timer = setTimeout(() => this.#end(), STREAM_MS_MAX).unref();
  #isEnded = false;

  constructor(desk: Desk, parts: TailParts) {
    this.#desk = desk;
    this.#parts = parts;
    this.#next = parts.next;
  }

  stream(): ReadableStream<Uint8Array> {
    this.#parts.call.request.signal.addEventListener('abort', () => this.#gone.abort(), { once: true });
    return new ReadableStream<Uint8Array>({
      // Something at once, so that whoever asked knows that it is listening.
      start: (controller) => controller.enqueue(utf8Encode(this.#silence())),
      pull: async (controller) => {
        try {
          const text = await this.#more();
          if (text === undefined) {
            this.#end();
            controller.close();
          } else controller.enqueue(utf8Encode(text));
        } catch (error) {
          this.#end();
          controller.error(error);
        }
      },
      cancel: () => this.#end(),
    });
  }

  /** The next words; undefined at the end. */
  async #more(): Promise<string | undefined> {
    for (;;) {
      const now = systemClock.monotonic();
      if (this.#gone.signal.aborted || now - this.#begun > STREAM_MS_MAX || !this.#parts.call.isStillLetIn())
        return undefined;
      const before = this.#next;
      const text = await this.#read();
      if (text !== '') {
        this.#said = now;
        return text;
      }
      if (now - this.#said > SILENCE_MS) {
        this.#said = now;
        return this.#silence();
      }
      const { call } = this.#parts;
      if (this.#next === before) await this.#desk.pulse.next(call.log.name, POLL_MS, this.#gone.signal);
    }
  }

  async #read(): Promise<string> {
    const { call, asked, taken } = this.#parts;
    const stored = await taken.log.reader.entries(this.#next, this.#next + READ_ENTRIES);
    if (stored.length === 0) await this.#passPruned();
    // What was recorded while it was read may be later than the end of the key.
    if (!call.isStillLetIn()) return '';
    const events: StreamEvent[] = [];
    for (const entry of stored) {
      await this.#passTo(entry.index);
      this.#next += 1;
      const event = wireEvent(entry, call.query['include'] === 'entry');
      if (matches(asked.joined, event)) events.push(event);
    }
    // That somebody looks on is not news that they look at, or each look would be followed by another.
    const indexes = events.flatMap(({ index, action }) => (action === 'log.viewed' ? [] : [index]));
    if (indexes.length > 0) {
      const shown = { indexes, fields: fieldsOf(asked.filter), query: asked.text };
      this.#desk.logs.views.saw(call, shown);
    }
    return events
      .map((event) => `id: ${event.index}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`)
      .join('');
  }

  /** Goes on to where there may be something, where a whole span was pruned. */
  async #passPruned(): Promise<void> {
    const minimum = await this.#parts.taken.log.reader.minimum();
    if (this.#next < minimum) this.#next = Math.min(minimum, this.#next + READ_ENTRIES);
  }

  /** Passes over entries that were pruned. */
  async #passTo(index: number): Promise<void> {
    if (this.#next === index) return;
    if (index > (await this.#parts.taken.log.reader.minimum()))
      throw new LogError('log_damaged', `entry ${this.#next} is missing`);
    this.#next = index;
  }

  /** Says nothing, but up to where everything has been looked at. */
  #silence(): string {
    return this.#next === 0 ? ':\n\n' : `id: ${this.#next - 1}\n\n`;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#gone.abort();
    this.#parts.taken.release();
    this.#parts.leave();
  }
}
