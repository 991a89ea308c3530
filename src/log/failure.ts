import { LogError } from '../store/index.ts';

/** A failure of the file system in words of ours, with a code that callers can test; any other error as it is. */
export function inOurWords(error: unknown): unknown {
  const { code, syscall, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof LogError || typeof code !== 'string' || typeof syscall !== 'string') return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LogError('disk_full', `the disk is full: ${message}`, {
      retryable: true,
      cause: error,
      hint: 'free space and try again; nothing that was acknowledged is affected',
    });
  }
  return new LogError('io_failed', `the file system failed: ${message}`, { cause: error });
}
