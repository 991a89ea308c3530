// A time-stamping authority of our own: certificates made by openssl, answers made by `openssl ts -reply` behind node:http, and, for
// what no authority would sign, tokens put together here.

import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as asn1js from 'asn1js';

/** Why there is no authority on this machine, or false. */
export const opensslMissing: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed';

/** Runs openssl and answers what it says. Throws where it fails. */
export function openssl(words: readonly string[], input?: string | Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('openssl', words, { input });
  if (status !== 0) throw new Error(`openssl ${words.join(' ')}: ${stderr}`);
  return stdout;
}

export const POLICY = '1.2.3.4.1';

/** A certificate with its key, in files. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  /** The certificate in PEM. */
  readonly pem: string;
  readonly der: Buffer;
}

/** How a certificate is made. */
export interface Making {
  readonly key?: 'rsa' | 'ec';
  /** Lines of the section of extensions. */
  readonly extensions: readonly string[];
  readonly issuer?: Identity;
  /** `YYYYMMDDHHMMSSZ` */
  readonly from?: string;
  readonly to?: string;
  readonly digest?: string;
}

export const caExtensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
export const tsaExtensions = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=critical,timeStamping',
];

/** Makes a key and a certificate for it; signed by itself where no issuer is given. */
export function makeIdentity(folder: string, name: string, making: Making): Identity {
  const { key: kind = 'ec', extensions, issuer, digest = 'sha256' } = making;
  const at = (ending: string): string => join(folder, `${name}.${ending}`);
  const kinds = {
    rsa: ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048'],
    ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  };
  const [algorithm, ...options] = kinds[kind];
  openssl(['genpkey', '-algorithm', algorithm!, ...options, '-out', at('key')]);
  openssl(['req', '-new', '-key', at('key'), '-subj', `/O=Test/CN=${name}`, '-out', at('csr')]);
  writeFileSync(at('index'), '');
  writeFileSync(at('serial'), `${Math.floor(Math.random() * 1e9) + 1e9}`.replace(/^(.{9})$/, '0$1'));
  writeFileSync(
    at('cnf'),
    `[ca]\ndefault_ca=c\n[c]\ndatabase=${at('index')}\nserial=${at('serial')}\nnew_certs_dir=${folder}\npolicy=p\nunique_subject=no\n[p]\nO=supplied\nCN=supplied\n[e]\n${extensions.join('\n')}\n`,
  );
  const signer = issuer === undefined ? ['-selfsign', '-keyfile', at('key')] : [];
  const by = issuer === undefined ? [] : ['-cert', issuer.cert, '-keyfile', issuer.key];
  const { from = '20200101000000Z', to = '20491231235959Z' } = making;
  openssl([
    ...[
      'ca',
      '-batch',
      '-notext',
      '-config',
      at('cnf'),
      '-extensions',
      'e',
      '-in',
      at('csr'),
      '-out',
      at('pem'),
    ],
    ...['-md', digest, '-startdate', from, '-enddate', to, ...signer, ...by],
  ]);
  const pem = readFileSync(at('pem'), 'utf8');
  return { cert: at('pem'), key: at('key'), pem, der: new X509Certificate(pem).raw };
}

/** A root, an authority below it. */
export interface Chain {
  readonly root: Identity;
  readonly tsa: Identity;
}

export function makeChain(folder: string, kind: 'rsa' | 'ec' = 'ec', name = 'tsa'): Chain {
  const root = makeIdentity(folder, `${name}-root`, { key: kind, extensions: caExtensions });
  const tsa = makeIdentity(folder, name, { key: kind, extensions: tsaExtensions, issuer: root });
  return { root, tsa };
}

/** Answers a query as `openssl ts -reply` does. */
export function reply(
  folder: string,
  { root, tsa }: Chain,
  query: Uint8Array,
  lines: readonly string[] = [],
): Buffer {
  const config = join(folder, 'ts.cnf');
  const serial = join(folder, 'ts.serial');
  const defaults = ['signer_digest=sha256', 'digests=sha256', 'accuracy=secs:1', 'ess_cert_id_alg=sha256'];
  writeFileSync(
    config,
    `[t]\nserial=${serial}\ndefault_policy=${POLICY}\nother_policies=1.2.3.4.2\n${[...defaults, ...lines].join('\n')}\n`,
  );
  writeFileSync(join(folder, 'ts.tsq'), query);
  return openssl([
    ...['ts', '-reply', '-queryfile', join(folder, 'ts.tsq'), '-signer', tsa.cert, '-inkey', tsa.key],
    ...['-chain', root.cert, '-config', config, '-section', 't'],
  ]);
}

/** An authority that listens. */
export interface Listening extends Chain {
  readonly url: string;
  /** The questions that came, newest last. */
  readonly questions: Buffer[];
  /** What answers in its place; by default `openssl ts -reply`. */
  behave: ((question: Buffer, response: ServerResponse) => void) | undefined;
  readonly folder: string;
}

/** Starts an authority on 127.0.0.1. */
export async function listen(
  t: Pick<TestContext, 'after'>,
  folder: string,
  chain: Chain = makeChain(folder),
): Promise<Listening> {
  const questions: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const question = Buffer.concat(parts);
    questions.push(question);
    if (authority.behave !== undefined) return authority.behave(question, response);
    response.setHeader('content-type', 'application/timestamp-reply').end(reply(folder, chain, question));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const authority: Listening = { ...chain, url, questions, behave: undefined, folder };
  return authority;
}

/** What a forged token says; everything that is not given is as it should be. */
export interface Forgery {
  readonly text: Uint8Array;
  readonly signer: Identity;
  readonly certificates?: readonly Uint8Array[];
  readonly genTime?: Date;
  readonly nonce?: Uint8Array;
  readonly policy?: string;
  readonly imprintHash?: 'sha1' | 'sha256';
  /** The hash that is signed over, and named. */
  readonly digest?: 'sha1' | 'sha256';
  /** Which certificate the attributes name; `none`: no attribute. */
  readonly reference?: Uint8Array | 'none';
  readonly referenceVersion?: 1 | 2;
  readonly extraAttributes?: readonly asn1js.AsnType[];
}

const oids = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  rsa: { sha1: '1.2.840.113549.1.1.5', sha256: '1.2.840.113549.1.1.11' },
  ec: { sha1: '1.2.840.10045.4.1', sha256: '1.2.840.10045.4.3.2' },
} as const;

const sequence = (...value: asn1js.AsnType[]): asn1js.Sequence => new asn1js.Sequence({ value });
const set = (...value: asn1js.AsnType[]): asn1js.Set => new asn1js.Set({ value });
const oid = (value: string): asn1js.ObjectIdentifier => new asn1js.ObjectIdentifier({ value });
const octets = (bytes: Uint8Array): asn1js.OctetString =>
  new asn1js.OctetString({ valueHex: bufferOf(bytes) });
const integer = (value: number): asn1js.Integer => new asn1js.Integer({ value });
const tagged = (tagNumber: number, ...value: asn1js.AsnType[]): asn1js.Constructed =>
  new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value });
const raw = (der: Uint8Array): asn1js.AsnType => asn1js.fromBER(bufferOf(der)).result;
const encode = (element: asn1js.AsnType): Buffer => Buffer.from(element.toBER());

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

export function attribute(name: string, value: asn1js.AsnType): asn1js.Sequence {
  return sequence(oid(name), set(value));
}

/** A TimeStampToken over a text, signed with whatever key is given. */
export function forgeToken(forgery: Forgery): Buffer {
  const { text, signer, genTime = new Date(), nonce, policy = POLICY } = forgery;
  const { imprintHash = 'sha256', digest = 'sha256', reference = signer.der, referenceVersion = 2 } = forgery;
  const time = `${genTime.toISOString().replace(/[-:T]|\.\d+Z$/g, '')}Z`;
  const content = encode(
    sequence(
      integer(1),
      oid(policy),
      sequence(sequence(oid(oids[imprintHash])), octets(createHash(imprintHash).update(text).digest())),
      integer(7),
      timeElement(time),
      ...(nonce === undefined ? [] : [new asn1js.Integer({ valueHex: bufferOf(nonce) })]),
    ),
  );
  const hash = referenceVersion === 1 ? 'sha1' : 'sha256';
  const named = (certificate: Uint8Array): asn1js.Sequence =>
    attribute(
      `1.2.840.113549.1.9.16.2.${referenceVersion === 1 ? 12 : 47}`,
      sequence(sequence(sequence(octets(createHash(hash).update(certificate).digest())))),
    );
  const attributes = [
    attribute('1.2.840.113549.1.9.3', oid('1.2.840.113549.1.9.16.1.4')),
    attribute('1.2.840.113549.1.9.4', octets(createHash(digest).update(content).digest())),
    ...(reference === 'none' ? [] : [named(reference)]),
    ...(forgery.extraAttributes ?? []),
  ];
  const key = createPrivateKey(readFileSync(signer.key));
  const kind = key.asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
  const signature = sign(digest, encode(set(...attributes)), key);
  const x509 = asn1js.fromBER(bufferOf(signer.der)).result as asn1js.Sequence;
  const [, serial, , issuer] = (x509.valueBlock.value[0] as asn1js.Sequence).valueBlock.value;
  const signerInfo = sequence(
    integer(1),
    sequence(issuer!, serial!),
    sequence(oid(oids[digest])),
    tagged(0, ...attributes),
    sequence(oid(oids[kind][digest])),
    octets(signature),
  );
  const signedData = sequence(
    integer(3),
    set(sequence(oid(oids[digest]))),
    sequence(oid('1.2.840.113549.1.9.16.1.4'), tagged(0, octets(content))),
    tagged(0, ...(forgery.certificates ?? [signer.der]).map(raw)),
    set(signerInfo),
  );
  return encode(sequence(oid('1.2.840.113549.1.7.2'), tagged(0, signedData)));
}

/** A GeneralizedTime of this very text. */
function timeElement(text: string): asn1js.AsnType {
  return raw(Buffer.concat([Buffer.from([0x18, text.length]), Buffer.from(text)]));
}

/** A TimeStampResp that grants a token. */
export function granted(token: Uint8Array): Buffer {
  return encode(sequence(sequence(integer(0)), raw(token)));
}

/** A TimeStampResp that says no, with the bit of its reason. */
export function rejected(bit: number, text: string): Buffer {
  const bits = new Uint8Array(Math.floor(bit / 8) + 1);
  bits[Math.floor(bit / 8)] = 1 << (7 - (bit % 8));
  const failInfo = new asn1js.BitString({ valueHex: bufferOf(bits), unusedBits: 7 - (bit % 8) });
  return encode(sequence(sequence(integer(2), sequence(new asn1js.Utf8String({ value: text })), failInfo)));
}

/** Imprint and nonce of a question. */
export function questionParts(question: Uint8Array): { imprint: Buffer; nonce: Uint8Array; policy?: string } {
  const { result } = asn1js.fromBER(bufferOf(question));
  const parts = (result as asn1js.Sequence).valueBlock.value;
  const imprint = ((parts[1] as asn1js.Sequence).valueBlock.value[1] as asn1js.OctetString).valueBlock
    .valueHexView;
  const nonce = parts.find((part) => part instanceof asn1js.Integer && part !== parts[0]) as asn1js.Integer;
  const policy = parts.find((part) => part instanceof asn1js.ObjectIdentifier);
  return {
    imprint: Buffer.from(imprint),
    nonce: nonce.valueBlock.valueHexView,
    ...(policy && { policy: (policy as asn1js.ObjectIdentifier).valueBlock.toString() }),
  };
}
