import { existsSync } from 'node:fs';
import { AnchorStore, certificatesOf, judgeStamps, STAMPS_JUDGED_MAX } from '../anchor/index.ts';
import { misuse } from '../bytes/index.ts';
import { systemClock } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import type { Discovery, Stamped } from '../verify/index.ts';

/** What an audit is told of time-stamps. */
export interface AuditStamps {
  readonly stamped: readonly Stamped[];
  /** That the file of anchors cannot be read. */
  readonly discoveries: readonly Discovery[];
}

/** Where the time-stamps of a log are, and whom to believe. */
export interface StampPlace {
  /** `anchors.db` of the log; undefined where it keeps none. */
  readonly path: string | undefined;
  /** The caller's own copy of it, in place of that. */
  readonly own?: string | undefined;
  /** Certificates of authorities to trust, in PEM or DER. */
  readonly certificates?: string | Uint8Array | undefined;
}

/**
 * The time-stamps of a log, the newest first to be judged, by the certificates that the verifier brings: those in the log's own
 * settings lie where the log lies, and vouch for nothing. Throws a misuse `option_invalid` where the caller's own file or
 * certificates are none.
 * @internal
 */
export async function auditStamps({ path, own, certificates }: StampPlace): Promise<AuditStamps> {
  const trusted = certificatesOf({
    name: 'the option tsaCertificates',
    ...(certificates !== undefined && { certificates }),
  });
  if (own !== undefined && !existsSync(own)) {
    throw misuse('range', 'option_invalid', `there are no anchors at ${own}`);
  }
  let store: AnchorStore | undefined;
  try {
    store = AnchorStore.openReadable(own ?? path ?? '');
    const stamps = store?.newestTimestamps(STAMPS_JUDGED_MAX) ?? [];
    const stamped = await judgeStamps(stamps, { certificates: () => trusted, now: systemClock.wall() });
    return { stamped, discoveries: [] };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const what = `The file of anchors cannot be read: ${error.message}`;
    const detail = { about: 'evidence', code: error.code };
    return {
      stamped: [],
      discoveries: [{ code: 'timestamp_invalid', from: 0, to: 0, what, ofLog: true, detail }],
    };
  } finally {
    store?.close();
  }
}
