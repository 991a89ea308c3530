import { captureTables } from './capture-schema.ts';
import { captureFunctions } from './capture-watch.ts';
import { logFunctions, tables } from './schema.ts';
import type { SchemaFunction } from './schema-function.ts';

/** The roles of the schema. None can log in: they are granted to those that do, but for the first and the last, which are for nobody. */
export const roles = [
  'indelible_owner',
  'indelible_writer',
  'indelible_outbox',
  'indelible_reader',
  'indelible_capture',
] as const;

/** Every function of the schema, in the order in which they are made. */
export const schemaFunctions: readonly SchemaFunction[] = [...logFunctions, ...captureFunctions];

/** Every table of the schema, in the order in which they are made. */
export const schemaTables: readonly string[] = [...tables, ...captureTables];

/** Who may do what to a table beside its owner, as `role RIGHT table`. */
export const tableGrants: readonly string[] = [
  ...['schema_version', 'logs', 'heads', 'entries', 'disclosures', 'ids', 'tiles'].flatMap((table) => [
    `indelible_writer SELECT ${table}`,
    `indelible_reader SELECT ${table}`,
  ]),
  'indelible_capture SELECT captured',
  'indelible_capture INSERT outbox',
];
