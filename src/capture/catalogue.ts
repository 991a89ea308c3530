import { misuse } from '../bytes/index.ts';
import type { ContextualEvent } from '../context/index.ts';
import type { EventValue, Target } from '../event/index.ts';
import type { AuditLog, OnFailure, RecordOptions } from './audit-log.ts';
import { type CatalogueDocs, formatCatalogue } from './catalogue-docs.ts';
import { checkDefinitions, checkEvent, type EventDefinition } from './catalogue-rules.ts';
import type { SchemaInput, StandardSchema } from './standard-schema.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { CatalogueDocs } from './catalogue-docs.ts';
export type { EventDefinition } from './catalogue-rules.ts';
export type { SchemaInput, SchemaIssue, SchemaResult, StandardSchema } from './standard-schema.ts';

/** Definitions by action. */
export type Definitions = Readonly<Record<string, EventDefinition>>;

/** The actions of a catalogue. */
export type ActionOf<D extends Definitions> = keyof D & string;

/** The targets of an event: those that are defined, in their order, and any others behind them. */
type TargetsOf<Types extends readonly string[]> = readonly [
  ...{ [At in keyof Types]: Target & { readonly type: Types[At] } },
  ...Target[],
];

type TargetsPart<Definition extends EventDefinition> = Definition extends {
  readonly targets: infer Types extends readonly string[];
}
  ? { readonly targets: TargetsOf<Types> }
  : { readonly targets?: readonly Target[] };

type MetadataPart<Definition extends EventDefinition> = Definition extends {
  readonly metadata: infer Schema extends StandardSchema;
}
  ? undefined extends SchemaInput<Schema>
    ? { readonly metadata?: SchemaInput<Schema> }
    : { readonly metadata: SchemaInput<Schema> }
  : { readonly metadata?: undefined };

/** An event of a catalogue: its action, with the targets and the metadata that this action has. */
export type EventOf<D extends Definitions, Action extends ActionOf<D>> = Omit<
  ContextualEvent,
  'action' | 'targets' | 'metadata'
> & { readonly action: Action } & TargetsPart<D[Action]> &
  MetadataPart<D[Action]>;

/** A log that records with a transaction of the application's own: `PostgresLog`, `Outbox`. */
interface RecordsIn {
  recordIn(transaction: never, event: ContextualEvent): Promise<string>;
}

/** A log through a catalogue: the same calls, for the events of the catalogue alone. */
export type BoundLog<D extends Definitions, L> = (L extends AuditLog
  ? {
      /** Records an event of the catalogue. Throws misuse `action_unknown`, `metadata_invalid`, `target_missing`; else as the log does. */
      record<Action extends ActionOf<D>>(
        event: EventOf<D, Action>,
        options?: RecordOptions,
      ): ReturnType<L['record']>;
    }
  : unknown) &
  (L extends RecordsIn
    ? {
        /** Records an event of the catalogue with a transaction. Throws as `record`. */
        recordIn<Action extends ActionOf<D>>(
          transaction: Parameters<L['recordIn']>[0],
          event: EventOf<D, Action>,
        ): Promise<string>;
      }
    : unknown);

/** The events that an application records. */
export class Catalogue<const D extends Definitions> {
  readonly definitions: D;

  /** @internal Use {@link defineEvents}. */
  constructor(definitions: D) {
    this.definitions = definitions;
  }

  /** The actions, in their order. */
  get actions(): readonly ActionOf<D>[] {
    return Object.keys(this.definitions).sort() as ActionOf<D>[];
  }

  /** What happens to events that cannot be recorded, where the catalogue says it: for `openRecorder`. */
  get onFailure(): Readonly<Record<string, OnFailure>> {
    return Object.fromEntries(
      this.actions.flatMap((action) => {
        const mode = failureMode(this.definitions[action]!);
        return mode === undefined ? [] : [[action, mode]];
      }),
    );
  }

  /** The sentences, by action: for `createHandler({ sentences })`, from which the viewer takes them. */
  get sentences(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.actions.flatMap((action) => {
        const { sentence } = this.definitions[action]!;
        return sentence === undefined ? [] : [[action, sentence]];
      }),
    );
  }

  /**
   * Holds an event to the catalogue, and answers it as it is recorded: its metadata as the schema makes them, its version as the
   * label `version`. Throws misuse `action_unknown`, `metadata_invalid`, `target_missing`.
   */
  check<Action extends ActionOf<D>>(event: EventOf<D, Action>): Promise<ContextualEvent> {
    return checkEvent(this.definitions, event as unknown as ContextualEvent & { metadata?: EventValue });
  }

  /** The log through this catalogue. A log of any kind: `record`, and `recordIn` where it has one. */
  bind<L extends AuditLog | RecordsIn>(log: L): BoundLog<D, L> {
    const bound: Record<string, unknown> = {};
    const { definitions } = this;
    const through = (event: never): Promise<ContextualEvent> => this.check(event);
    if ('record' in log) {
      bound['record'] = async (event: never, options: RecordOptions = {}) => {
        const checked = await through(event);
        const onFailure = options.onFailure ?? failureMode(definitions[checked.action]!);
        return log.record(checked, onFailure === undefined ? options : { ...options, onFailure });
      };
    }
    if ('recordIn' in log) {
      bound['recordIn'] = async (transaction: never, event: never) =>
        log.recordIn(transaction, await through(event));
    }
    if (Object.keys(bound).length > 0) return bound as BoundLog<D, L>;
    throw misuse(
      'type',
      'argument_invalid',
      'a catalogue is bound to a log: something with record or recordIn',
    );
  }

  /** The catalogue as a page of Markdown, for people. */
  toMarkdown(docs: CatalogueDocs = {}): string {
    return formatCatalogue(this.definitions, docs);
  }
}

/**
 * Defines the events that an application records, by action. Throws misuse `option_unknown`, `option_invalid` for a definition that
 * is none.
 */
export function defineEvents<const D extends Definitions>(definitions: D): Catalogue<D> {
  checkDefinitions(definitions);
  return new Catalogue(definitions);
}

/** What is critical is not done where it cannot be recorded. */
function failureMode({ onFailure, critical }: EventDefinition): OnFailure | undefined {
  return onFailure ?? (critical === true ? 'block' : undefined);
}
