import { utf8Encode } from '../../bytes/index.ts';
import {
  csvColumns,
  csvRecord,
  csvRow,
  exportedEvent,
  openEntry,
  parseEntry,
  type RecordedEvent,
} from '../../event/index.ts';
import { LogError } from '../../log/index.ts';
import type { Call, Route, TakenLog } from '../route.ts';
import { problems, querySchema } from './answers.ts';
import { type Asked, askedOf, fieldsOf } from './asked.ts';
import { type Desk, nothingHere } from './deps.ts';
import { actorOf } from './views.ts';

/** Characters that are sent at once. */
const CHUNK_CHARACTERS = 64 * 1024;

/** An export of which nothing is read for so long is broken off, milliseconds. */
const STALL_MS = 60_000;

type Format = 'jsonl' | 'csv';

const contentTypes = { jsonl: 'application/x-ndjson', csv: 'text/csv; charset=utf-8' } as const;

/** `GET /v1/logs/{log}/export`. */
export function exportRoute(desk: Desk): Route {
  return {
    method: 'GET',
    path: '/v1/logs/{log}/export',
    operationId: 'exportEvents',
    summary:
      'Every event that matches, streamed: the whole log oldest first, the answer to a query newest first.',
    access: ['read', 'audit'],
    query: {
      properties: {
        q: querySchema,
        format: { enum: ['jsonl', 'csv'], default: 'jsonl', description: 'Only JSON lines are exact.' },
      },
    },
    answers: {
      200: {
        description: 'One event a line. An export that breaks off is not whole.',
        contentType: ['application/x-ndjson', 'text/csv'],
      },
      ...problems(400, 404, 503),
    },
    handle: (call) => start(desk, call),
  };
}

async function start({ logs, exports }: Desk, call: Call): Promise<Response> {
  const asked = askedOf(call);
  const format = (call.query['format'] as Format | undefined) ?? 'jsonl';
  const headers = {
    'content-type': contentTypes[format],
    'content-disposition': `attachment; filename="${call.log.name}.${format}"`,
    'cache-control': 'no-store',
  };
  // Nothing is taken away by asking what there would be.
  if (call.request.method === 'HEAD') return new Response(null, { headers });
  // The log stays open for as long as the export takes, which is longer than this call.
  const leave = exports.take(call.caller!);
  let taken: TakenLog | undefined;
  try {
    taken = await logs.take(call.log.name);
    if (taken === undefined) throw nothingHere();
    const work = new Export(call, { taken, asked, format, leave });
    await work.begin();
    return new Response(work.stream(), { headers });
  } catch (error) {
    taken?.release();
    leave();
    throw error;
  }
}

/** One export under way. */
class Export {
  readonly #call: Call;
  readonly #taken: TakenLog;
  readonly #asked: Asked;
  readonly #format: Format;
  readonly #events: AsyncIterator<RecordedEvent>;
  #first: IteratorResult<RecordedEvent> | undefined;
  #count = 0;
  readonly #leave: () => void;
  /** Breaks off what nobody reads. */
  #stall: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(
    call: Call,
    { taken, asked, format, leave }: { taken: TakenLog; asked: Asked; format: Format; leave: () => void },
  ) {
    this.#leave = leave;
    this.#call = call;
    this.#taken = taken;
    this.#asked = asked;
    this.#format = format;
    const isAll = asked.text === '' && call.caller?.filter === undefined;
    this.#events = isAll ? everyEvent(taken) : taken.log.query(asked.joined)[Symbol.asyncIterator]();
  }

  /** The first event, or the error that there is instead, while the answer can still say so. */
  async begin(): Promise<void> {
    this.#first = await this.#events.next();
  }

  stream(): ReadableStream<Uint8Array> {
    let head = this.#format === 'csv' ? csvRecord(csvColumns) : '';
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        clearTimeout(this.#stall);
        try {
          if (this.#isEnded) throw new LogError('closed', 'the export was not read, and broken off');
          const { text, isDone } = await this.#next();
          if (head + text !== '') controller.enqueue(utf8Encode(head + text));
          head = '';
          if (!isDone) {
            // That it could not be noted shows where the log is written next.
            const give = (): void => void this.#end(false).catch(() => {});
            this.#stall = setTimeout(give, STALL_MS).unref();
            return;
          }
          await this.#end(true);
          controller.close();
        } catch (error) {
          await this.#end(false);
          controller.error(error);
        }
      },
      cancel: () => this.#end(false),
    });
  }

  async #next(): Promise<{ readonly text: string; readonly isDone: boolean }> {
    let text = '';
    while (text.length < CHUNK_CHARACTERS) {
      const next = this.#first ?? (await this.#events.next());
      this.#first = undefined;
      if (next.done === true) return { text, isDone: true };
      text += this.#format === 'csv' ? csvRecord(csvRow(next.value)) : `${JSON.stringify(next.value)}\n`;
      this.#count += 1;
    }
    return { text, isDone: false };
  }

  /** Records what was taken away, whole or not, and lets the log go. */
  async #end(isWhole: boolean): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#stall);
    const { text, filter } = this.#asked;
    try {
      await this.#events.return?.();
      if (this.#taken.damage !== undefined) return;
      await this.#taken.log.recordOwn(
        exportedEvent({
          actor: actorOf(this.#call.caller!),
          format: this.#format,
          events: this.#count,
          fields: fieldsOf(filter),
          queries: text === '' ? [] : [text],
          isWhole,
        }),
      );
    } finally {
      this.#taken.release();
      this.#leave();
    }
  }
}

/** Every event from its entry, without the search index: oldest first. */
async function* everyEvent({ log }: TakenLog): AsyncGenerator<RecordedEvent> {
  for await (const { index, entry, disclosures } of log.entries()) {
    yield openEntry(parseEntry(entry), disclosures, index).event;
  }
}
