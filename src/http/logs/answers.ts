import { PROBLEM_TYPE } from '../../wire/index.ts';
import type { Route, Schema } from '../route.ts';

/** The schema of `q`, and of what every list takes. */
export const querySchema: Schema = {
  type: 'string',
  maxLength: 4096,
  description: 'A query in the language of docs/query.md.',
};

const problem = (description: string) => ({ description, contentType: PROBLEM_TYPE });

/** The problems that a route may answer with, beside those of every route. */
export function problems(...statuses: readonly (400 | 404 | 409 | 422 | 503)[]): Route['answers'] {
  const all = {
    400: problem('The question is malformed.'),
    404: problem('There is nothing here under this name, or not for this credential.'),
    409: problem('The id is taken by another event, or the name by another log.'),
    422: problem('The event is refused; the pointer says where.'),
    503: problem('Not now; see Retry-After.'),
  };
  return Object.fromEntries(statuses.map((status) => [status, all[status]]));
}
