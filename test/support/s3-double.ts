// A bucket of ours: as much of S3 as publication rests on, enforced, and the faults that a real one has.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';

/** What happens to a request. `…-after` means that it was carried out all the same. */
export type Fault =
  | 'error-before'
  | 'error-after'
  | 'slow-down'
  | 'lost-before'
  | 'lost-after'
  | 'conflict'
  | 'skew'
  | 'truncated'
  | 'wrong-etag'
  | undefined;

/** A version of an object, or the mark that it was deleted. */
export interface Version {
  readonly id: string;
  readonly bytes: Buffer | undefined;
  readonly etag: string;
  readonly mode?: string | undefined;
  readonly until?: number | undefined;
  readonly hold?: boolean;
}

/** How the bucket behaves. */
export interface S3Behaviour {
  /** Object Lock; on by default. */
  readonly lock?: boolean;
  /** Whether conditions and locks are honoured; there are servers that take the headers and ignore them. */
  readonly ignores?: 'If-None-Match' | 'If-Match' | 'lock' | 'deletes';
  /** Versions that a page of their list holds; 1,000, as on S3. */
  readonly versionsListedMax?: number;
  /** Decides the fault of each request. */
  fault?: (request: { readonly number: number; readonly method: string; readonly key: string }) => Fault;
}

export class S3Double {
  readonly objects = new Map<string, Version[]>();
  /** Every request that was carried out or not, in order. */
  readonly requests: {
    readonly method: string;
    readonly key: string;
    readonly headers: IncomingMessage['headers'];
  }[] = [];
  /** What was answered, in the order in which it was. */
  readonly answers: { readonly status: number; readonly key: string }[] = [];
  behaviour: S3Behaviour = {};
  endpoint = '';

  static async start(t: Pick<TestContext, 'after'>, behaviour: S3Behaviour = {}): Promise<S3Double> {
    const double = new S3Double();
    double.behaviour = behaviour;
    const server = createServer((request, response) => void double.#take(request, response));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    double.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return double;
  }

  /** A client of it that gives up soon. */
  client(t: Pick<TestContext, 'after'>): S3Client {
    const client = new S3Client({
      endpoint: this.endpoint,
      forcePathStyle: true,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    });
    t.after(() => client.destroy());
    return client;
  }

  /** The newest version of an object; undefined where it is deleted or was never there. */
  newest(key: string): Version | undefined {
    const version = this.objects.get(key)?.at(-1);
    return version?.bytes === undefined ? undefined : version;
  }

  /** Puts past every condition, as an administrator does. */
  overwrite(key: string, bytes: Buffer | undefined): void {
    const versions = this.objects.get(key) ?? [];
    this.objects.set(key, versions);
    versions.push({ id: randomBytes(8).toString('hex'), bytes, etag: etagOf(bytes ?? Buffer.alloc(0)) });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const url = new URL(request.url!, this.endpoint);
    const [, , ...rest] = url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    const { method = '', headers } = request;
    this.requests.push({ method, key, headers });
    const fault = this.behaviour.fault?.({ number: this.requests.length, method, key });
    const answer = new Answer(response, method === 'HEAD');
    response.once('finish', () => this.answers.push({ status: response.statusCode, key }));
    if (headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') !== true)
      return answer.error(403, 'AccessDenied');
    if (fault === 'error-before') return answer.error(500, 'InternalError');
    if (fault === 'slow-down') return answer.error(503, 'SlowDown');
    if (fault === 'conflict') return answer.error(409, 'ConditionalRequestConflict');
    if (fault === 'skew') return answer.error(403, 'RequestTimeTooSkewed');
    if (fault === 'lost-before') return response.destroy();
    answer.fault = fault;
    if (method === 'GET' && url.searchParams.has('object-lock')) return this.#lockConfiguration(answer);
    if (method === 'GET' && url.searchParams.has('versions')) return this.#list(answer, url.searchParams);
    const version = url.searchParams.get('versionId') ?? undefined;
    if (method === 'PUT') return this.#put(answer, key, Buffer.concat(parts), headers);
    if (method === 'GET' || method === 'HEAD') return this.#get(answer, key, version);
    if (method === 'DELETE') return this.#delete(answer, key, version);
    return answer.error(501, 'NotImplemented');
  }

  #put(answer: Answer, key: string, bytes: Buffer, headers: IncomingMessage['headers']): unknown {
    const there = this.newest(key);
    const { ignores, lock = true } = this.behaviour;
    if (headers['if-none-match'] === '*' && there !== undefined && ignores !== 'If-None-Match')
      return answer.error(412, 'PreconditionFailed');
    const match = headers['if-match'];
    if (match !== undefined && ignores !== 'If-Match') {
      if (there === undefined) return answer.error(404, 'NoSuchKey');
      if (match !== there.etag) return answer.error(412, 'PreconditionFailed');
    }
    const mode = header(headers, 'x-amz-object-lock-mode');
    const until = header(headers, 'x-amz-object-lock-retain-until-date');
    if (mode !== undefined && !lock) return answer.error(400, 'InvalidRequest');
    const isKept = ignores !== 'lock';
    const versions = this.objects.get(key) ?? [];
    this.objects.set(key, versions);
    const version = {
      id: randomBytes(8).toString('hex'),
      bytes,
      etag: etagOf(bytes),
      mode: isKept ? mode : undefined,
      until: isKept && until !== undefined ? Date.parse(until) : undefined,
      hold: header(headers, 'x-amz-object-lock-legal-hold') === 'ON',
    };
    versions.push(version);
    answer.send(200, Buffer.alloc(0), { etag: version.etag, 'x-amz-version-id': version.id });
  }

  #get(answer: Answer, key: string, id: string | undefined): unknown {
    const version = id === undefined ? this.newest(key) : this.objects.get(key)?.find((one) => one.id === id);
    if (version?.bytes === undefined) return answer.error(404, 'NoSuchKey');
    answer.send(200, version.bytes, {
      etag: version.etag,
      'x-amz-version-id': version.id,
      ...(version.mode !== undefined && { 'x-amz-object-lock-mode': version.mode }),
      ...(version.until !== undefined && {
        'x-amz-object-lock-retain-until-date': new Date(version.until).toISOString(),
      }),
    });
  }

  /** Deleting hides; deleting a version removes it, unless it is locked. */
  #delete(answer: Answer, key: string, id: string | undefined): unknown {
    const versions = this.objects.get(key) ?? [];
    if (id === undefined) {
      this.overwrite(key, undefined);
      return answer.send(204, Buffer.alloc(0));
    }
    const at = versions.findIndex((one) => one.id === id);
    const { until = 0, hold } = versions[at] ?? {};
    if ((until > Date.now() || hold) && this.behaviour.ignores !== 'deletes')
      return answer.error(403, 'AccessDenied');
    if (at >= 0) versions.splice(at, 1);
    answer.send(204, Buffer.alloc(0));
  }

  #lockConfiguration(answer: Answer): unknown {
    if (this.behaviour.lock === false) return answer.error(404, 'ObjectLockConfigurationNotFoundError');
    answer.xml(
      200,
      '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>',
    );
  }

  /** Versions and marks of deletion, keys ascending, the newest of each first; `max-keys` of them, 1,000 at most, from behind the marker. */
  #list(answer: Answer, asked: URLSearchParams): void {
    const prefix = asked.get('prefix') ?? '';
    const [after, version] = [asked.get('key-marker'), asked.get('version-id-marker')];
    const rows = [...this.objects]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([key, versions]) =>
        versions.toReversed().map(({ id, bytes }, at) => ({ key, id, bytes, isLatest: at === 0 })),
      );
    const begin =
      after === null
        ? 0
        : version === null
          ? rows.filter(({ key }) => key <= after).length
          : rows.findIndex(({ key, id }) => key === after && id === version) + 1;
    const most = Math.min(Number(asked.get('max-keys') ?? 1000), this.behaviour.versionsListedMax ?? 1000);
    const page = rows.slice(begin, begin + most);
    const last = page.at(-1);
    const isTruncated = begin + most < rows.length;
    const next =
      isTruncated && last !== undefined
        ? `<NextKeyMarker>${last.key}</NextKeyMarker><NextVersionIdMarker>${last.id}</NextVersionIdMarker>`
        : '';
    const texts = page.map(({ key, id, bytes, isLatest }) => {
      const name = bytes === undefined ? 'DeleteMarker' : 'Version';
      return `<${name}><Key>${key}</Key><VersionId>${id}</VersionId><IsLatest>${isLatest}</IsLatest></${name}>`;
    });
    answer.xml(
      200,
      `<ListVersionsResult><MaxKeys>${most}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${next}${texts.join('')}</ListVersionsResult>`,
    );
  }
}

/** Sends an answer, with what may befall it on the way. */
class Answer {
  fault: Fault;
  readonly #response: ServerResponse;
  readonly #isHead: boolean;

  constructor(response: ServerResponse, isHead: boolean) {
    this.#response = response;
    this.#isHead = isHead;
  }

  send(status: number, body: Buffer, headers: Record<string, string> = {}): unknown {
    const response = this.#response;
    if (this.fault === 'lost-after') return response.destroy();
    if (this.fault === 'error-after') {
      this.fault = undefined;
      return this.error(500, 'InternalError');
    }
    if (this.fault === 'wrong-etag' && headers['etag'] !== undefined) headers['etag'] = '"wrong"';
    response.writeHead(status, { ...headers, 'content-length': body.length });
    if (this.fault === 'truncated' && body.length > 1) {
      response.write(body.subarray(0, body.length >> 1), () => response.destroy());
    } else response.end(this.#isHead ? undefined : body);
  }

  xml(status: number, text: string): void {
    this.send(status, Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`), {
      'content-type': 'application/xml',
    });
  }

  error(status: number, code: string): void {
    this.xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  }
}

function header(headers: IncomingMessage['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}
