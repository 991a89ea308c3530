import { misuse } from '../bytes/index.ts';
import type { AuditReport } from '../verify/index.ts';
import { auditPublished, type VerifyPublishedOptions } from './audit-published.ts';
import { choosingCheckpoint } from './checkpoint-choice.ts';
import { openPlace, type PlaceOptions } from './places.ts';

const optionNames = [
  'vkey',
  'policy',
  'held',
  'depth',
  'subjectKeys',
  'tsaCertificates',
  'threads',
  'onProgress',
  'headers',
  'timeoutMs',
  'fetch',
  's3',
  'keySearch',
];

/**
 * Audits a published log, `file:///path`, `s3://bucket/prefix` or `https://…`, without its database: everything that its checkpoint
 * covers is read. Throws `LogError` `log_missing` where nothing is published, and what the reading throws.
 */
export async function verifyPublished(
  url: string,
  options: VerifyPublishedOptions & PlaceOptions = {},
): Promise<AuditReport> {
  for (const name of Object.keys(options)) {
    if (optionNames.includes(name)) continue;
    throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${optionNames.join(', ')}`);
  }
  const { policy, vkey } = options;
  const trust = policy ?? (vkey === undefined ? undefined : { vkey });
  const place = choosingCheckpoint(await openPlace(url, options), trust);
  try {
    return await auditPublished(place, options);
  } finally {
    await place.reader.close();
  }
}
