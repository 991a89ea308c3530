import { type Database, withSession } from './client.ts';
import { type Drift, examine } from './examine.ts';
import { inOurWords } from './failure.ts';
import { requireSchema } from './migrate.ts';

/**
 * Compares what guards the logs of a database with what was made: triggers, functions, owners, grants, columns, and the settings
 * on which durability rests. Empty where all is well; `indelible pg migrate` mends functions, triggers and grants. Throws `LogError`
 * `schema_missing`, `schema_newer`, `unreachable`.
 */
export async function doctor(database: Database): Promise<Drift[]> {
  return inOurWords('the schema cannot be examined', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      return examine(session);
    }),
  );
}
