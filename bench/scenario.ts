/** What a scenario is told. Everything in it is plain data, because a scenario runs in a process of its own. */
export interface Task {
  /** An empty folder for this run alone, on the disk that is measured. */
  readonly dir: string;
  /** The large log, for the scenarios that say they need it; they leave it as they found it. */
  readonly log: string;
  /** Entries of the large log. */
  readonly size: number;
  /** Small counts: the figures mean nothing, the path through the code is the same. */
  readonly quick: boolean;
}

/** Named figures, the unit last in the name (`p99_ms`, `rss_mb`); a bare `rate` is events a second. */
export type Figures = Record<string, number>;

/** What each file of `baselines/` and `scenarios/` exports. Module state never survives a run: each has its own process. */
export interface Scenario {
  run(task: Task): Promise<Figures> | Figures;
}

/** A scenario by name, and when it runs. */
export interface Listing {
  readonly name: string;
  /** Module below `bench/`. */
  readonly module: string;
  /** What is measured, for the page. */
  readonly about: string;
  /** It reads the large log, so it runs after that was built. */
  readonly large?: true;
  /** One round at any size: what it measures does not vary, or takes too long to repeat. */
  readonly once?: true;
}

/** All scenarios in the order of a round. */
export const scenarios: readonly Listing[] = [
  {
    name: 'one-row',
    module: 'baselines/one-row.ts',
    about: 'baseline: node:sqlite in this process, WAL, FULL, one blob row a transaction in a lean table',
  },
  {
    name: 'audit-table',
    module: 'baselines/audit-table.ts',
    about:
      'baseline: the audit table that most teams write, hash chain, three indexes, one transaction an event',
  },
  {
    name: 'bare-http',
    module: 'baselines/bare-http.ts',
    about: 'baseline: bare `node:http` that takes the same requests and does nothing with them',
  },
  { name: 'one-caller', module: 'scenarios/one-caller.ts', about: 'one caller awaits each `record`' },
  {
    name: 'callers-64',
    module: 'scenarios/callers-64.ts',
    about: '64 callers, each awaits its own `record`',
  },
  {
    name: 'callers-1024',
    module: 'scenarios/callers-1024.ts',
    about: '1,024 callers, each awaits its own `record`',
  },
  {
    name: 'record-many',
    module: 'scenarios/record-many.ts',
    about: '`recordMany` of 256, one or four at a time',
  },
  {
    name: 'processes',
    module: 'scenarios/processes.ts',
    about: 'four processes on one log, first with one caller each, then with 16 each',
  },
  {
    name: 'caller-cost',
    module: 'scenarios/caller-cost.ts',
    about: 'CPU time and stalls of the calling thread while 20,000 events/s are offered',
  },
  {
    name: 'http-write',
    module: 'scenarios/http-write.ts',
    about:
      'POST of single events over 64 connections, then of batches of 100 over eight; peak memory of the server',
  },
  {
    name: 'capture-http',
    module: 'scenarios/capture-http.ts',
    about: 'an Express application over 64 connections: bare, with the context set, with every call recorded',
  },
  {
    name: 'pg-trigger-chain',
    module: 'baselines/pg-trigger-chain.ts',
    about:
      'baseline: PostgreSQL, the audit table whose trigger chains hashes under a lock, one and 64 callers; and without the trigger',
  },
  {
    name: 'postgres',
    module: 'scenarios/postgres-callers.ts',
    about: 'PostgreSQL: two processes on one log, 64 callers in all, then 1,024',
  },
  {
    name: 'postgres-outbox',
    module: 'scenarios/postgres-outbox.ts',
    about:
      'PostgreSQL: transactions with `recordIn` beside the same with an insert into a plain audit table; draining; from commit to entry',
  },
  {
    name: 'postgres-capture',
    module: 'scenarios/postgres-capture.ts',
    about:
      'PostgreSQL: what row capture costs a row, beside no trigger and a trigger that copies rows as JSON',
  },
  {
    name: 'postgres-many-logs',
    module: 'scenarios/postgres-many-logs.ts',
    about:
      "PostgreSQL: a hundred logs at once, and ten thousand with traffic after Zipf's law over three processes",
    once: true,
  },
  {
    name: 'disk',
    module: 'scenarios/disk.ts',
    about: 'bytes of the closed databases for each entry',
    large: true,
    once: true,
  },
  { name: 'open', module: 'scenarios/open.ts', about: 'open the large log: time and memory', large: true },
  {
    name: 'proof',
    module: 'scenarios/proof.ts',
    about: 'proofs of single entries of the large log',
    large: true,
  },
  {
    name: 'publish',
    module: 'scenarios/publish.ts',
    about:
      'publish the large log to a folder, verify it from there (tree, then every entry), restore it, each in a process; peak memory; publish sealed values',
    large: true,
    once: true,
  },
  {
    name: 'verify',
    module: 'scenarios/verify.ts',
    about: 'verify the whole log: one thread, two threads, hashes and tree only; peak memory',
    large: true,
  },
  {
    name: 'catch-up',
    module: 'scenarios/catch-up.ts',
    about: 'drop the search index, open the log, wait until the index has caught up',
    large: true,
  },
  { name: 'query', module: 'scenarios/query.ts', about: 'newest 50 of filtered queries', large: true },
  {
    name: 'http-read',
    module: 'scenarios/http-read.ts',
    about: 'GET of pages of 50 and of proofs over four connections; peak memory of the server',
    large: true,
  },
  {
    name: 'first-paint',
    module: 'scenarios/first-paint.ts',
    about: 'the viewer on the large log in a browser that has never been there',
    large: true,
  },
];
