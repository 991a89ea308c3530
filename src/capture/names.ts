/*
 * Foreign systems name things in their own case: `DescribeDBInstances`, `branch_protection_rule`, `compute-optimizer`.
 * Ours are lower-case words joined by underscores, dotted together.
 */

/** A foreign name as one word of an action or as a type: `DescribeDBInstances` becomes `describe_db_instances`. */
export function toWord(name: string): string {
  const word = name
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(word) ? word : `x_${word}`;
}

/** Drops the members that are undefined, so that an event says only what its source said. */
export function compact<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept = Object.entries(object).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  return Object.fromEntries(kept) as { [K in keyof T]: Exclude<T[K], undefined> };
}
