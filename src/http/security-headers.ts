/** What the pages of the viewer may do: load this server's own files and ask it, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** What an answer that is no page may do when a browser opens it after all: nothing. */
const ANSWER_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const always: readonly (readonly [string, string])[] = [
  ['content-security-policy', ANSWER_POLICY],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['cache-control', 'no-store'],
];

/** Two years. */
const STRICT_TRANSPORT = 'max-age=63072000; includeSubDomains';

/** Adds the headers that every answer has, where its route did not choose its own. */
export function secure(response: Response, isSecure: boolean): Response {
  const { headers } = response;
  for (const [name, value] of always) if (!headers.has(name)) headers.set(name, value);
  if (isSecure) headers.set('strict-transport-security', STRICT_TRANSPORT);
  return response;
}
