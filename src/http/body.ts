import { createGunzip } from 'node:zlib';
import { type JsonValue, parseJson, utf8Decode, VerificationError } from '../bytes/index.ts';
import { ProblemError } from './problem.ts';
import type { Body } from './route.ts';

/** What a body must be. */
export interface BodyRules {
  readonly contentTypes: readonly string[];
  /** Bytes after decompression. */
  readonly bytesMax: number;
  /** Throws a problem where the value is not what the route takes. */
  readonly check?: ((value: unknown) => void) | undefined;
}

/** The body of a request within its limits, which hold before anything of it is parsed. */
export class RequestBody implements Body {
  readonly contentType: string;
  readonly #request: Request;
  readonly #rules: BodyRules;

  /** Throws `content_type_unknown`, `content_encoding_unknown`, `body_too_large` by what the headers say. */
  constructor(request: Request, rules: BodyRules) {
    this.#request = request;
    this.#rules = rules;
    this.contentType = (request.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
    if (!rules.contentTypes.includes(this.contentType)) {
      throw new ProblemError(415, 'content_type_unknown', 'The body is of a type that is not taken here.', {
        hint: `send content-type: ${rules.contentTypes.join(' or ')}`,
      });
    }
    const encoding = request.headers.get('content-encoding');
    if (encoding !== null && encoding !== 'gzip' && encoding !== 'identity') {
      throw new ProblemError(415, 'content_encoding_unknown', 'The body is encoded in an unknown way.', {
        hint: 'send it as it is, or with content-encoding: gzip',
      });
    }
    if (declaredLength(request) > rules.bytesMax) throw tooLarge(rules.bytesMax);
  }

  async bytes(): Promise<Uint8Array> {
    const { bytesMax } = this.#rules;
    const received = await readBounded(this.#request, bytesMax);
    if (this.#request.headers.get('content-encoding') !== 'gzip') return received;
    return inflateBounded(received, bytesMax);
  }

  async json(): Promise<unknown> {
    const bytes = await this.bytes();
    const value = parseBody(bytes);
    this.#rules.check?.(value);
    return value;
  }
}

/** Strict JSON from outside. Throws the problem `body_invalid`. */
export function parseBody(bytes: Uint8Array): JsonValue {
  try {
    return parseJson(utf8Decode(bytes));
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new ProblemError(400, 'body_invalid', error.message, { cause: error });
  }
}

/** The length that the headers declare; 0 where they declare none. */
function declaredLength(request: Request): number {
  const text = request.headers.get('content-length');
  return text === null ? 0 : Number(text);
}

function tooLarge(bytesMax: number): ProblemError {
  return new ProblemError(413, 'body_too_large', `The body has more than ${bytesMax} bytes.`, {
    hint: 'send less at once',
  });
}

/** Takes no more than `bytesMax` off the wire, whatever was declared. */
async function readBounded(request: Request, bytesMax: number): Promise<Uint8Array> {
  // A declared length was compared already, and whoever reads HTTP takes no more bytes than were declared.
  if (request.headers.has('content-length')) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length > bytesMax) throw tooLarge(bytesMax);
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Inflates until there are `bytesMax` bytes and one more: a small file that would fill the memory never does. */
async function inflateBounded(packed: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const inflated = createGunzip();
  inflated.end(packed);
  try {
    for await (const chunk of inflated) {
      length += chunk.length;
      if (length > bytesMax) throw tooLarge(bytesMax);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError(400, 'body_invalid', 'The body is not what gzip makes.', { cause: error });
  } finally {
    inflated.destroy();
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Where a route takes no body. */
export const noBody: Body = {
  contentType: '',
  bytes: async () => new Uint8Array(),
  json: async () => undefined,
};
