import type { JsonObject } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';

/**
 * Maps one line that is an event of our own already: nothing is renamed, and the log's own rules judge it. What
 * an importer adds is the deterministic id (see `mapRecord`), so that the same file can be imported twice.
 */
export function mapJsonLine(record: JsonObject): AuditEvent {
  return record as unknown as AuditEvent;
}
