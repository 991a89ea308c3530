import { JSON_DEPTH_MAX, parseJson, utf8Decode } from '../../../src/bytes/index.ts';
import type {
  ApiKey,
  ApiKeyCreated,
  ApiKeyRequest,
  ErasureAsked,
  ErasureList,
  ErasureWire,
  EventPage,
  EventWire,
  HoldAsked,
  HoldList,
  KeyList,
  LogKeyList,
  LogList,
  LogRequest,
  LogSummary,
  Problem,
  RetentionChangeWire,
  RetentionWire,
  SignInWays,
  Stats,
  Verification,
  ViewerSession,
} from '../../../src/wire/index.ts';

/** An answer that is not the one that was asked for, in the server's words. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

/** What a list asks for. */
export interface EventQuestion {
  readonly q: string;
  readonly cursor?: string;
  readonly limit?: number;
}

/** Logs that one answer is asked for. */
const LOGS_AT_ONCE = 500;

type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

/** The routes of a server that the viewer calls. Credentials: the session's cookie, or a token in a header. */
export class Api {
  /** Where the server's routes begin; ends in a slash. */
  readonly root: string;
  readonly #token: string | undefined;

  constructor(root: string, token?: string) {
    this.root = root;
    this.#token = token;
  }

  session(signal?: AbortSignal): Promise<ViewerSession> {
    return this.#json('v1/session', {}, { signal });
  }

  signInWays(signal?: AbortSignal): Promise<SignInWays> {
    return this.#json('v1/sign-in', {}, { signal });
  }

  /** All logs, however many answers that takes. */
  async logs(signal?: AbortSignal): Promise<LogList> {
    const logs: LogSummary[] = [];
    const unreadable: string[] = [];
    for (let after: string | undefined; ; ) {
      const page: LogList = await this.#json('v1/logs', { after, limit: LOGS_AT_ONCE }, { signal });
      logs.push(...page.logs);
      unreadable.push(...(page.unreadable ?? []));
      if (page.next === undefined) return { logs, unreadable };
      after = page.next;
    }
  }

  log(name: string, signal?: AbortSignal): Promise<LogSummary> {
    return this.#json(`v1/logs/${segment(name)}`, {}, { signal });
  }

  /** The entries from which the log's keys follow. */
  logKeys(name: string): Promise<LogKeyList> {
    return this.#json(`v1/logs/${segment(name)}/keys`, {}, {});
  }

  createLog(request: LogRequest): Promise<LogSummary> {
    return this.#json('v1/logs', {}, { method: 'POST', body: request });
  }

  changeLog(name: string, change: { readonly isPublic: boolean }): Promise<LogSummary> {
    return this.#json(`v1/logs/${segment(name)}`, {}, { method: 'PATCH', body: change });
  }

  events(log: string, { q, cursor, limit }: EventQuestion, signal?: AbortSignal): Promise<EventPage> {
    const parameters = { q: q || undefined, cursor, limit, include: 'entry' };
    return this.#json(`v1/logs/${segment(log)}/events`, parameters, { signal });
  }

  event(log: string, id: string, signal?: AbortSignal): Promise<EventWire> {
    return this.#json(`v1/logs/${segment(log)}/events/${segment(id)}`, { include: 'entry' }, { signal });
  }

  stats(log: string, q: string, signal?: AbortSignal): Promise<Stats> {
    return this.#json(`v1/logs/${segment(log)}/stats`, { q: q || undefined }, { signal });
  }

  verification(log: string, signal?: AbortSignal): Promise<Verification> {
    return this.#json(`v1/logs/${segment(log)}/verification`, {}, { signal });
  }

  erasures(log: string, signal?: AbortSignal): Promise<ErasureList> {
    return this.#json(`v1/logs/${segment(log)}/erasures`, {}, { signal });
  }

  requestErasure(log: string, asked: ErasureAsked): Promise<ErasureWire> {
    return this.#json(`v1/logs/${segment(log)}/erasures`, {}, { method: 'POST', body: asked });
  }

  approveErasure(log: string, id: string): Promise<ErasureWire> {
    const path = `v1/logs/${segment(log)}/erasures/${segment(id)}/approval`;
    return this.#json(path, {}, { method: 'POST' });
  }

  cancelErasure(log: string, id: string): Promise<ErasureWire> {
    return this.#json(`v1/logs/${segment(log)}/erasures/${segment(id)}`, {}, { method: 'DELETE' });
  }

  retention(log: string, signal?: AbortSignal): Promise<RetentionWire> {
    return this.#json(`v1/logs/${segment(log)}/retention`, {}, { signal });
  }

  approveRetention(log: string, id: string): Promise<RetentionChangeWire> {
    const path = `v1/logs/${segment(log)}/retention/changes/${segment(id)}/approval`;
    return this.#json(path, {}, { method: 'POST' });
  }

  cancelRetention(log: string, id: string): Promise<RetentionChangeWire> {
    const path = `v1/logs/${segment(log)}/retention/changes/${segment(id)}`;
    return this.#json(path, {}, { method: 'DELETE' });
  }

  holds(log: string, signal?: AbortSignal): Promise<HoldList> {
    return this.#json(`v1/logs/${segment(log)}/holds`, {}, { signal });
  }

  placeHold(log: string, asked: HoldAsked): Promise<HoldList> {
    return this.#json(`v1/logs/${segment(log)}/holds`, {}, { method: 'POST', body: asked });
  }

  async releaseHold(log: string, name: string): Promise<void> {
    await this.#send(`v1/logs/${segment(log)}/holds/${segment(name)}`, {}, { method: 'DELETE' });
  }

  keys(signal?: AbortSignal): Promise<KeyList> {
    return this.#json('v1/keys', {}, { signal });
  }

  createKey(request: ApiKeyRequest): Promise<ApiKeyCreated> {
    return this.#json('v1/keys', {}, { method: 'POST', body: request });
  }

  async revokeKey(id: string): Promise<ApiKey | undefined> {
    const answer = await this.#send(`v1/keys/${segment(id)}`, {}, { method: 'DELETE' });
    return answer.status === 204 ? undefined : readJson<ApiKey>(await answer.text());
  }

  /** A `.tlog-proof` file. */
  async proof(log: string, id: string): Promise<Uint8Array> {
    return bytesOf(await this.#send(`v1/logs/${segment(log)}/events/${segment(id)}/proof`));
  }

  /** Checkpoint or tile, as `LogVerifier` asks for them. A checkpoint is always asked for anew. */
  async treeFile(log: string, path: string): Promise<Uint8Array> {
    const isCheckpoint = path === 'checkpoint';
    // The newest of all, which covers whatever is shown: one that witnesses have cosigned is older.
    const asked = isCheckpoint ? { newest: 'true' } : {};
    const cache = isCheckpoint ? 'no-store' : 'default';
    return bytesOf(await this.#send(`logs/${segment(log)}/${path}`, asked, { cache }));
  }

  /** The address of an export, for the browser to download by itself. */
  exportAddress(log: string, format: 'jsonl' | 'csv', q: string): string {
    return this.#address(`v1/logs/${segment(log)}/export`, { format, q: q || undefined }).href;
  }

  /** New events as they come, from behind `lastId` on. Ends where the connection ends. */
  async *stream(
    log: string,
    question: {
      readonly q: string;
      readonly lastId: string | undefined;
      readonly signal: AbortSignal;
      onOpen(): void;
    },
  ): AsyncGenerator<{ readonly id: string; readonly event: EventWire }, void, undefined> {
    const { q, lastId, signal, onOpen } = question;
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (lastId !== undefined) headers['last-event-id'] = lastId;
    const parameters = { q: q || undefined, include: 'entry' };
    const answer = await this.#send(`v1/logs/${segment(log)}/stream`, parameters, { headers, signal });
    if (answer.body === null) return;
    onOpen();
    for await (const { id, event, data } of serverSentEvents(answer.body)) {
      if (event === 'event' && data !== '') yield { id, event: readJson<EventWire>(data) };
    }
  }

  #address(path: string, parameters: Parameters): URL {
    const address = new URL(path, this.root);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, `${value}`);
    }
    return address;
  }

  async #json<T>(path: string, parameters: Parameters, options: Options): Promise<T> {
    const answer = await this.#send(path, parameters, options);
    return readJson<T>(await answer.text());
  }

  async #send(path: string, parameters: Parameters = {}, options: Options = {}): Promise<Response> {
    const { method = 'GET', body, headers = {}, signal, cache } = options;
    const sent = new Headers(headers);
    if (this.#token !== undefined) sent.set('authorization', `Bearer ${this.#token}`);
    if (body !== undefined) sent.set('content-type', 'application/json');
    const answer = await fetch(this.#address(path, parameters), {
      method,
      headers: sent,
      credentials: this.#token === undefined ? 'same-origin' : 'omit',
      redirect: 'error',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
      ...(cache !== undefined && { cache }),
    });
    if (!answer.ok) throw new ApiError(answer.status, await problemOf(answer));
    return answer;
  }
}

interface Options {
  readonly method?: 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly cache?: RequestCache;
}

function segment(text: string): string {
  return encodeURIComponent(text);
}

/** An event has all of the nesting that a log takes, and stands in a page. */
const ANSWER_DEPTH_MAX = JSON_DEPTH_MAX + 8;

/** Not by the browser's own parser, which may read a name that is one escape wrong (nodejs/node#63785). */
function readJson<T>(text: string): T {
  return parseJson(text, { maxDepth: ANSWER_DEPTH_MAX }) as T;
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
  return new Uint8Array(await answer.arrayBuffer());
}

/** The problem document of an answer, or nothing where somebody else (a proxy) has answered. */
async function problemOf(answer: Response): Promise<Partial<Problem>> {
  try {
    const problem = readJson<unknown>(await answer.text());
    return typeof problem === 'object' && problem !== null ? problem : {};
  } catch {
    return {};
  }
}

interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Reads `text/event-stream`. Through fetch rather than EventSource, which cannot send a header. */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = body.getReader();
  let rest: number[] = [];
  let fields = { id: '', event: 'message', data: '' };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // Lines end in a line feed, which no other character's bytes contain; so the text is whole there.
      for (const byte of value) {
        if (byte !== 0x0a) {
          rest.push(byte);
          continue;
        }
        const line = utf8Decode(Uint8Array.from(rest)).replace(/\r$/, '');
        rest = [];
        if (line !== '') {
          fields = withField(fields, line);
        } else {
          yield fields;
          fields = { id: fields.id, event: 'message', data: '' };
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function withField(fields: ServerSentEvent, line: string): ServerSentEvent {
  const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
  if (name === 'data') return { ...fields, data: fields.data === '' ? value : `${fields.data}\n${value}` };
  return name === 'id' || name === 'event' ? { ...fields, [name]: value } : fields;
}
