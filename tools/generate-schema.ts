// Writes the JSON Schemas of events and entries into spec/, from the table of rules in src/event/rules.ts.
// Run it after a change there (node tools/generate-schema.ts); a test fails where files and rules differ.

import { writeFileSync } from 'node:fs';
import { entrySchema, eventSchema } from 'indelible/event';

const files = { 'event.schema.json': eventSchema(), 'entry.schema.json': entrySchema() };
for (const [name, schema] of Object.entries(files)) {
  const file = new URL(`../spec/${name}`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
  console.log(`wrote spec/${name}`);
}
