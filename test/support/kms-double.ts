// AWS KMS as far as a wrapped key needs it, over HTTP on 127.0.0.1, in the protocol that the AWS client speaks (AWS JSON 1.1). It
// encrypts for real, and binds the encryption context, so that a ciphertext that was moved does not open.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What the service does in place of answering. */
export type KmsTrouble = 'denied' | 'throttled' | 'broken' | 'silent' | 'other key' | 'none';

/** A service of its own for one test. */
export interface KmsDouble {
  readonly endpoint: string;
  /** What it does from now on. */
  trouble: KmsTrouble;
  /** The operations that it was asked for, and with which encryption context. */
  readonly asked: { readonly operation: string; readonly context: Record<string, string> }[];
}

interface Asked {
  readonly KeyId: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Record<string, string>;
}

const failures = {
  denied: [400, 'AccessDeniedException'],
  throttled: [400, 'ThrottlingException'],
  broken: [500, 'KMSInternalException'],
} as const;

/** Starts it. */
export async function startKms(t: Pick<TestContext, 'after'>): Promise<KmsDouble> {
  const master = randomBytes(32);
  const double: { -readonly [Name in keyof KmsDouble]: KmsDouble[Name] } = {
    endpoint: '',
    trouble: 'none',
    asked: [],
  };
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await textOf(request)) as Asked;
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const context = body.EncryptionContext ?? {};
    double.asked.push({ operation, context });
    const answer = (status: number, value: object, type?: string): void => {
      response.writeHead(status, {
        'content-type': 'application/x-amz-json-1.1',
        ...(type !== undefined && { 'x-amzn-errortype': type }),
      });
      response.end(JSON.stringify(type === undefined ? value : { __type: type, ...value }));
    };
    const { trouble } = double;
    if (trouble === 'silent') return;
    if (trouble in failures) {
      const [status, type] = failures[trouble as keyof typeof failures];
      answer(status, { message: `this is ${trouble}` }, type);
      return;
    }
    const aad = Buffer.from(JSON.stringify(Object.entries(context).sort()));
    try {
      if (operation === 'Encrypt') {
        const blob = encrypt(master, Buffer.from(body.Plaintext!, 'base64'), aad);
        answer(200, { KeyId: body.KeyId, CiphertextBlob: blob.toString('base64') });
      } else {
        const plaintext = decrypt(master, Buffer.from(body.CiphertextBlob!, 'base64'), aad);
        const text = trouble === 'other key' ? Buffer.from('no key at all') : plaintext;
        answer(200, { KeyId: body.KeyId, Plaintext: text.toString('base64') });
      }
    } catch {
      answer(400, { message: '' }, 'InvalidCiphertextException');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  double.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return double;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return text;
}

function encrypt(key: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, blob: Buffer, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(0, 12)).setAAD(aad);
  decipher.setAuthTag(blob.subarray(-16));
  return Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]);
}
