import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { createLog, type EvidenceSelection, type EvidenceWriting, type Log } from 'indelible';
import { base64Decode, base64Encode, canonicalize, type JsonObject, utf8Decode } from 'indelible/bytes';
import { parseSignerKey, type Signer, signNote } from 'indelible/note';
import {
  EvidenceAudit,
  type EvidenceOptions,
  type EvidenceReport,
  evidenceSealText,
  parseEvidence,
  readEvidenceRows,
} from 'indelible/verify';
import { temporaryFolder } from '../support/folders.ts';

/** A log with some events, and what a test does with it. */
export interface World {
  readonly log: Log;
  readonly dir: string;
  readonly vkey: string;
  /** Evidence as one text. */
  evidence(selection: EvidenceSelection, writing?: Partial<EvidenceWriting>): Promise<string>;
  /** Binds changed evidence anew, as the holder of the key could. */
  sealAgain(evidence: JsonObject): string;
}

/** Makes the log: `count` events of three persons, with sealed values. */
export async function world(t: TestContext, count = 20): Promise<World> {
  const dir = path.join(temporaryFolder(t), 'log');
  const log = await createLog(dir, { origin: 'example.com/evidence', heartbeatMs: 0, warn: () => {} });
  t.after(() => log.close());
  await log.recordMany(Array.from({ length: count }, (_, index) => eventOf(index)));
  const signer = signerIn(dir);
  return {
    log,
    dir,
    vkey: log.vkey,
    evidence: async (selection, writing = {}) => {
      let text = '';
      for await (const piece of log.evidence(selection, { by: { type: 'user', id: 'u_1' }, ...writing }))
        text += piece;
      return text;
    },
    sealAgain: (evidence) => sealedBy(evidence, log.origin, signer),
  };
}

function eventOf(index: number) {
  return {
    id: `e-${index}`,
    action: index % 5 === 0 ? 'role.assigned' : 'user.signed_in',
    actor: { type: 'user', id: `u_${index % 3}`, name: `Person ${index % 3}` },
    targets: [{ type: 'user', id: 'u_9' }],
    context: { ip: `192.0.2.${index}` },
    reason: 'because & <b>so</b>',
  };
}

/** The key that signs the log in a folder. */
export function signerIn(dir: string): Signer {
  return parseSignerKey(readFileSync(path.join(dir, 'log.key'), 'utf8').trim());
}

/** Evidence that a key binds, whatever it says. */
export function sealedBy(evidence: JsonObject, origin: string, signer: Signer): string {
  const body = canonicalize(evidence);
  const digest = createHash('sha256').update(body).digest();
  const seal = utf8Decode(signNote(evidenceSealText(origin, digest), [signer]));
  return `{"evidence":${body},"signed":${canonicalize(seal)}}`;
}

/** Verifies a text without looking at its time-stamps. */
export function audit(text: string | Uint8Array, vkey?: string): EvidenceReport {
  return auditWith(text, vkey === undefined ? {} : { trust: { vkey } });
}

/** Verifies a text. */
export function auditWith(text: string | Uint8Array, options: EvidenceOptions = {}): EvidenceReport {
  const file = parseEvidence(typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
  const auditing = new EvidenceAudit(file, options);
  for (const block of file.evidence.blocks) {
    auditing.add(readEvidenceRows(block, inflateRawSync(block.data, { maxOutputLength: block.bytes + 1 })));
  }
  return auditing.conclude();
}

/** Whether a verifier that reports, or throws, accepts. */
export function accepts(text: string | Uint8Array, vkey?: string): boolean {
  try {
    return audit(text, vkey).ok;
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === 'malformed_evidence' || code?.startsWith('ERR_') || code?.startsWith('Z_')) return false;
    throw error;
  }
}

/** The member `evidence` of a file, to be changed. */
export function inside(text: string): Record<string, never> & JsonObject {
  return JSON.parse(text).evidence;
}

/** The rows of the first block, and the block with other rows. */
export function rowsOf(evidence: JsonObject): [number, string, string[]][] {
  const [block] = evidence['blocks'] as unknown as { data: string }[];
  return JSON.parse(inflateRawSync(base64Decode(block!.data)).toString('utf8'));
}

/** A block of these rows. */
export function blockOf(rows: readonly unknown[]): JsonObject {
  const bytes = Buffer.from(canonicalize(rows as never), 'utf8');
  return { bytes: bytes.length, count: rows.length, data: base64Encode(deflateRawSync(bytes)) };
}

/** Writes files and names them. */
export function writeAll(folder: string, texts: readonly (string | Uint8Array)[]): string[] {
  return texts.map((text, index) => {
    const file = path.join(folder, `m-${index}`);
    writeFileSync(file, text);
    return file;
  });
}
