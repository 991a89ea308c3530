import { ProblemError } from './problem.ts';
import type { Caller, OpenLog, Route } from './route.ts';

/** Whether this caller may take this route. Throws `credential_missing`, `forbidden`. */
export function checkAccess(route: Route, caller: Caller | undefined, log: OpenLog | undefined): void {
  const { access } = route;
  if (access === 'public' && (!route.path.includes('{log}') || log?.isPublic === true)) return;
  if (caller === undefined) {
    throw new ProblemError(401, 'credential_missing', 'This needs a credential.', {
      hint: 'send authorization: Bearer with an API key',
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  if (access === 'public' || access === 'anyone') return;
  if (access.some((scope) => caller.scopes.has(scope))) return;
  throw new ProblemError(403, 'forbidden', 'The credential does not reach so far.', {
    hint: `it needs the scope ${access.join(' or ')}`,
  });
}

/** Whether this caller may read the server's own log: with `admin` or `audit`, over all logs. Nobody writes to it. */
export function reachesServerLog({ access, method }: Route, caller: Caller | undefined): boolean {
  if (caller === undefined || caller.log !== undefined || method === 'PATCH') return false;
  if (method !== 'GET' && Array.isArray(access) && access.includes('write')) return false;
  return caller.scopes.has('admin') || caller.scopes.has('audit');
}
