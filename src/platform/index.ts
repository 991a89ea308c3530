/**
 * What Node gives, gathered in one place so that everything above it takes its clock, its randomness
 * and its files as parameters: a test hands in others.
 */
export { type Clock, systemClock, TIMER_MS_MAX } from './clock.ts';
export {
  createExclusive,
  readBeginning,
  readPrivate,
  readTextFile,
  replaceFile,
  syncFolder,
  writeDurable,
} from './files.ts';
export { hkdfSha256, hmacSha256 } from './hmac.ts';
export {
  type Asking,
  askOutside,
  isLoopbackAddress,
  isNever,
  isPublic,
  OutboundError,
  type Resolve,
} from './outbound.ts';
export { randomBytes, uuidv7 } from './random.ts';
export { FoldersBelow, openingFailed, REGULAR_FILE_FLAGS, requireFile } from './regular-file.ts';
export { type PlainError, plainError, reviveError } from './thread-errors.ts';
export { TrustedProxies } from './trusted-proxies.ts';
