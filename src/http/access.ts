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
