/** A function of the schema: its body is compared by the doctor. */
export interface SchemaFunction {
  readonly name: string;
  readonly args: string;
  readonly returns: string;
  readonly language: 'plpgsql' | 'sql';
  readonly body: string;
  /** Who may call it, beside its owner. */
  readonly grant: readonly (
    | 'indelible_writer'
    | 'indelible_outbox'
    | 'indelible_reader'
    | 'indelible_capture'
    | 'PUBLIC'
  )[];
  /** Runs as its owner rather than as the caller. */
  readonly definer: boolean;
  /** Its owner, if not that of the schema: a role that may do less. */
  readonly owner?: 'indelible_capture';
  /** Sees the database as it was when the statement that calls it began, in all that it asks. */
  readonly stable?: boolean;
  /** Settings of the session that it does not go by, as the server keeps them: `name=value`. */
  readonly settings?: readonly string[];
}

/** What a function has been set to run with, as the server keeps it. */
export function configOf({ settings = [] }: SchemaFunction): string {
  return ['search_path=pg_catalog, pg_temp', ...settings].join(';');
}

/** The statement that makes a function. */
export function createFunction(made: SchemaFunction): string {
  const { name, args, returns, language, body, definer, stable, settings = [] } = made;
  const sets = settings.map((setting) => ` SET ${setting.replace(/=(.*)/, " = '$1'")}`).join('');
  return `CREATE OR REPLACE FUNCTION indelible.${name}(${args}) RETURNS ${returns}
LANGUAGE ${language} ${stable === true ? 'STABLE' : 'VOLATILE'}${definer ? ' SECURITY DEFINER' : ''} SET search_path = pg_catalog, pg_temp${sets}
AS $indelible$${body}$indelible$`;
}
