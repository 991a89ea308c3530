/** A function of the schema: its body is compared by the doctor. */
export interface SchemaFunction {
  readonly name: string;
  readonly args: string;
  readonly returns: string;
  readonly language: 'plpgsql' | 'sql';
  readonly body: string;
  /** Who may call it, beside its owner. */
  readonly grant: readonly ('indelible_writer' | 'indelible_outbox' | 'indelible_reader' | 'PUBLIC')[];
  /** Runs as the owner of the schema rather than as the caller. */
  readonly definer: boolean;
}

/** The statement that makes a function. */
export function createFunction({ name, args, returns, language, body, definer }: SchemaFunction): string {
  return `CREATE OR REPLACE FUNCTION indelible.${name}(${args}) RETURNS ${returns}
LANGUAGE ${language} VOLATILE${definer ? ' SECURITY DEFINER' : ''} SET search_path = pg_catalog, pg_temp
AS $indelible$${body}$indelible$`;
}
