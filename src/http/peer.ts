export { TrustedProxies } from '../platform/index.ts';

/** What is known of the other end of a connection, apart from what the request says. */
export interface Connection {
  /** The address of the socket's peer. */
  readonly address?: string | undefined;
  /** Whether the connection to this process is TLS. */
  readonly isEncrypted?: boolean;
}

/** Whether a host of a URL or an address is this machine itself. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d{1,3}){3}|\[?::1\]?|localhost)$/.test(host);
}
