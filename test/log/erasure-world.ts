// A log with marked people in it, and a search of every byte for their marks.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The values of one person bear this mark, and nothing else does. */
export function markOf(person: number): string {
  return `Zebulon${person}Quark`;
}

/** An event about one of seven people; some share it with an invoice, some are large enough for pages of their own. */
export function eventAbout(number: number, person = number % 7): object {
  const mark = markOf(person);
  const actor = {
    type: 'user',
    id: `u_${person}`,
    name: `${mark} the person`,
    email: `${mark}@quark.example`,
  };
  return {
    id: `e-${number}`,
    action: 'invoice.read',
    actor,
    targets: [{ type: 'invoice', id: `inv_${number % 11}`, customer: `Customer ${number % 11}` }],
    context: { ip: `203.0.113.${person}`, userAgent: mark.repeat(number % 97 === 0 ? 900 : 1) },
    ...(number % 5 === 0 ? { reason: `asked by ${mark}` } : {}),
  };
}

/**
 * Files under a folder in which a text stands, in any case, with how often; the index keeps words in lower case.
 * A file that its owner removes while the folder is read (`-wal` and `-shm` go with their last connection) holds nothing.
 */
export function filesWith(folder: string, text: string): string[] {
  const wanted = text.toLowerCase();
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name))
    .filter((file) => contents(file).toLowerCase().includes(wanted));
}

function contents(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
