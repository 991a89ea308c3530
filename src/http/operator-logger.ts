import { type DestinationStream, pino } from 'pino';
import type { Logger } from './handler-options.ts';

/** Headers and fields that carry credentials: whatever is logged, they are not in it. */
const secrets = [
  'key',
  'token',
  'authorization',
  'cookie',
  'headers',
  '*.key',
  '*.token',
  '*.authorization',
  '*.cookie',
  '*.headers',
];

/** Structured lines about the server itself, for whoever runs it; never a credential. */
export function operatorLogger(destination: DestinationStream): Logger {
  return pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secrets, remove: true },
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
