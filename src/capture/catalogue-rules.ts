import { misuse } from '../bytes/index.ts';
import type { ContextualEvent } from '../context/index.ts';
import { type EventValue, isSentence, SENTENCE_CHARACTERS_MAX } from '../event/index.ts';
import type { OnFailure } from './audit-log.ts';
import type { SchemaIssue, StandardSchema } from './standard-schema.ts';

/** What an event of this action is. */
export interface EventDefinition {
  /** The types of its targets, in their order: it must have these, and may have others behind them. */
  readonly targets?: readonly string[];
  /** A schema of its metadata (zod, valibot, arktype, …). Without one it has none. */
  readonly metadata?: StandardSchema;
  /** What happened, in words: `{actor} voided {target}`. The viewer shows it. */
  readonly sentence?: string;
  /** What it means, and when it is recorded: for the page. */
  readonly description?: string;
  /** Counts from 1 with each change of what its metadata mean; recorded as the label `version`. */
  readonly version?: number;
  /** It must not happen unrecorded: `onFailure` is `block` where neither the call nor `onFailure` here says otherwise. */
  readonly critical?: boolean;
  readonly onFailure?: OnFailure;
}

const definitionNames = [
  'targets',
  'metadata',
  'sentence',
  'description',
  'version',
  'critical',
  'onFailure',
];

/** Refuses definitions that are none. Throws misuse `option_unknown`, `option_invalid`. */
export function checkDefinitions(definitions: Readonly<Record<string, EventDefinition>>): void {
  for (const [action, definition] of Object.entries(definitions)) {
    if (!/^(?!log(?:\.|$))[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*$/.test(action) || action.length > 128) {
      throw misuse('type', 'option_invalid', `${action} is no action: lower case, dotted, not log.*`);
    }
    for (const name of Object.keys(definition)) {
      if (definitionNames.includes(name)) continue;
      throw misuse(
        'type',
        'option_unknown',
        `unknown option ${name} of ${action}: known are ${definitionNames.join(', ')}`,
      );
    }
    const wrong = wrongWith(definition);
    if (wrong !== undefined) throw misuse('type', 'option_invalid', `${action}: ${wrong}`);
  }
}

function wrongWith(definition: EventDefinition): string | undefined {
  const { targets = [], metadata, sentence, version, onFailure } = definition;
  const isType = (type: unknown): boolean =>
    typeof type === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/.test(type);
  if (!Array.isArray(targets) || !targets.every(isType)) return 'targets must be a list of types';
  if (metadata !== undefined && typeof metadata['~standard']?.validate !== 'function') {
    return 'metadata must be a schema with the Standard Schema interface';
  }
  if (sentence !== undefined && !isSentence(sentence)) {
    return `sentence must be one line of at most ${SENTENCE_CHARACTERS_MAX} characters, with no names in braces but {actor}, {target}, {source}`;
  }
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1)) {
    return 'version must be a whole number from 1';
  }
  return onFailure === undefined || ['block', 'spool'].includes(onFailure)
    ? undefined
    : 'onFailure must be block or spool';
}

/** Holds an event to its definition. Throws misuse `action_unknown`, `target_missing`, `metadata_invalid`. */
export async function checkEvent(
  definitions: Readonly<Record<string, EventDefinition>>,
  event: ContextualEvent & { readonly metadata?: EventValue },
): Promise<ContextualEvent> {
  const { action, targets = [], metadata, labels } = Object(event) as typeof event;
  if (typeof action !== 'string' || !Object.hasOwn(definitions, action)) {
    throw misuse(
      'range',
      'action_unknown',
      `the catalogue has no action ${String(action)}${nearest(action, definitions)}`,
    );
  }
  const definition = definitions[action]!;
  for (const [at, type] of (definition.targets ?? []).entries()) {
    if ((Object(targets)[at] as { readonly type?: unknown } | undefined)?.type === type) continue;
    throw misuse('type', 'target_missing', `${action} has a ${type} as target ${at + 1}`);
  }
  const checked = await checkMetadata(action, definition, metadata);
  const { metadata: _given, ...rest } = event;
  return {
    ...rest,
    ...(checked !== undefined && { metadata: checked }),
    ...(definition.version !== undefined && { labels: { ...labels, version: String(definition.version) } }),
  };
}

async function checkMetadata(
  action: string,
  { metadata: schema }: EventDefinition,
  given: EventValue | undefined,
): Promise<EventValue | undefined> {
  if (schema === undefined) {
    if (given === undefined) return undefined;
    throw misuse('type', 'metadata_invalid', `${action} has no metadata in the catalogue`);
  }
  const result = await schema['~standard'].validate(given);
  if (result.issues === undefined) return result.value as EventValue | undefined;
  const told = result.issues.slice(0, 5).map(formatIssue).join('; ');
  throw misuse('type', 'metadata_invalid', `metadata of ${action} ${told}`);
}

function formatIssue({ message, path = [] }: SchemaIssue): string {
  const steps = path.map((step) => String(typeof step === 'object' ? step.key : step));
  return steps.length === 0 ? `: ${message}` : `/${steps.join('/')}: ${message}`;
}

/** The action of the catalogue that a wrong one may have meant: of the same thing. */
function nearest(action: unknown, definitions: object): string {
  const [thing] = String(action).split('.');
  const near = Object.keys(definitions).filter((name) => name.split('.')[0] === thing);
  return near.length === 0 ? '' : `: of ${thing} it has ${near.slice(0, 8).join(', ')}`;
}
