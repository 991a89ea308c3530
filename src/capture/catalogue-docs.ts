import type { EventDefinition } from './catalogue-rules.ts';

/** What the page of a catalogue says around its events. */
export interface CatalogueDocs {
  /** The title. Default `Events`. */
  readonly title?: string;
  /** A paragraph below it. */
  readonly about?: string;
}

/** A catalogue as Markdown: a table of all events, then each with its targets and metadata. The same catalogue, the same text. */
export function formatCatalogue(
  definitions: Readonly<Record<string, EventDefinition>>,
  { title = 'Events', about }: CatalogueDocs,
): string {
  const actions = Object.keys(definitions).sort();
  const rows = actions.map((action) => {
    const { sentence, description, version = 1, targets = [] } = definitions[action]!;
    const words = description ?? sentence?.replaceAll(/\{(\w+)\}/g, 'the $1') ?? '';
    return `| \`${action}\` | ${cell(words)} | ${targets.map(code).join(', ')} | ${version} | ${failing(definitions[action]!)} |`;
  });
  const parts = [
    `# ${cell(title)}`,
    ...(about === undefined ? [] : [about]),
    [
      '| action | what happened | targets | version | cannot be recorded |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
    ...actions.flatMap((action) => section(action, definitions[action]!)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function section(action: string, definition: EventDefinition): string[] {
  const fields = fieldsOf(definition);
  const { sentence } = definition;
  if (sentence === undefined && fields.length === 0 && definition.metadata === undefined) return [];
  return [
    `## \`${action}\``,
    ...(sentence === undefined ? [] : [`> ${cell(sentence)}`]),
    ...(definition.metadata === undefined ? [] : [metadataTable(definition, fields)]),
  ];
}

function metadataTable(
  { metadata }: EventDefinition,
  fields: readonly (readonly [string, string, boolean])[],
): string {
  if (fields.length === 0)
    return `Its metadata are as a schema of ${cell(metadata!['~standard'].vendor)} has them.`;
  const rows = fields.map(
    ([name, type, required]) => `| ${code(name)} | ${cell(type)} | ${required ? 'yes' : 'no'} |`,
  );
  return ['| metadata | type | required |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The fields of the metadata, where the library of the schema can write it as JSON Schema. */
function fieldsOf({ metadata }: EventDefinition): (readonly [string, string, boolean])[] {
  let schema: Readonly<Record<string, unknown>> | undefined;
  try {
    schema = metadata?.['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as typeof schema;
  } catch {
    // There are schemas that JSON Schema cannot say.
    return [];
  }
  const required = (schema?.['required'] ?? []) as readonly string[];
  const properties = Object.entries((schema?.['properties'] ?? {}) as Readonly<Record<string, object>>);
  return properties.map(([name, property]) => [name, typeOf(property), required.includes(name)] as const);
}

function typeOf(schema: object): string {
  const { type, enum: choices, const: only, anyOf } = schema as Readonly<Record<string, unknown>>;
  if (Array.isArray(choices)) return choices.map((choice) => JSON.stringify(choice)).join(' or ');
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(anyOf)) return anyOf.map(typeOf).join(' or ');
  return [type ?? 'anything'].flat().join(' or ');
}

function failing({ onFailure, critical }: EventDefinition): string {
  const mode = onFailure ?? (critical === true ? 'block' : undefined);
  if (mode === undefined) return 'as the recorder says';
  return mode === 'block' ? 'fails' : 'spooled';
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'")}\``;
}

/** A text within a table or a heading: it begins no cell, no line and no markup. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\|<>`*_[\]]/g, '\\$&');
}
