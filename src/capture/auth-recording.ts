import { currentContext, setActor } from '../context/index.ts';
import type { AuditEvent } from '../event/index.ts';
import { type OnUnrecorded, type Recorder, recordHappened } from './recording.ts';

/**
 * Records what an auth library has done, as {@link recordHappened}. Within a context, whoever signs in acts from here to the end of the
 * request; and the address and the user agent are those of the context, which knows which proxies to believe: a library reads
 * them out of headers that anybody may have written.
 */
export async function recordAuth(
  recorder: Recorder,
  events: readonly AuditEvent[],
  onError: OnUnrecorded | undefined,
): Promise<void> {
  const ambient = currentContext();
  await recordHappened(
    recorder,
    ambient?.context === undefined ? events : events.map(withoutAddress),
    onError,
  );
  if (ambient === undefined) return;
  for (const { action, actor, outcome = 'success' } of events) {
    if (action === 'user.signed_in' && outcome === 'success') setActor(actor);
  }
}

/** What the event says of where it came from, without what the context says better. */
function withoutAddress(event: AuditEvent): AuditEvent {
  const { context, ...rest } = event;
  if (context === undefined) return event;
  const { ip: _ip, userAgent: _userAgent, ...kept } = context;
  return Object.keys(kept).length === 0 ? rest : { ...rest, context: kept };
}
