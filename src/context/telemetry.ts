import { type Trace, traceOf } from './traceparent.ts';

/*
 * OpenTelemetry's API is one global object, which every copy and every minor version of `@opentelemetry/api` shares under this
 * key so that they find each other. Reading it there needs no import, and so no peer that must be installed. Nothing that is
 * found is believed: what does not look like two ids is no trace.
 */

const api = Symbol.for('opentelemetry.js.api.1');
const spanKey = Symbol.for('OpenTelemetry Context Key SPAN');

interface TelemetryApi {
  readonly context?: { active?(): { getValue?(key: symbol): unknown } };
}

/** The span that is active here by OpenTelemetry's API; undefined where it is not there, or nothing is active. */
export function activeTrace(): Trace | undefined {
  const found = (globalThis as { readonly [api]?: TelemetryApi })[api];
  if (found === undefined) return undefined;
  try {
    const span = found.context?.active?.().getValue?.(spanKey) as
      | { spanContext?(): { traceId?: unknown; spanId?: unknown } }
      | undefined;
    const spanContext = span?.spanContext?.();
    return traceOf(spanContext?.traceId, spanContext?.spanId);
  } catch {
    // Whatever stands there, it is no reason not to record.
    return undefined;
  }
}
