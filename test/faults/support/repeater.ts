// A process that records one event many times at once, and keeps every answer.
//
//   node repeater.ts '{"dir": …, "receipts": …, "copies": 100}'

import { writeFileSync } from 'node:fs';
import { openLog } from 'indelible';
import { faultEvent } from './fault-events.ts';

async function main({
  dir,
  receipts,
  copies,
}: {
  dir: string;
  receipts: string;
  copies: number;
}): Promise<void> {
  await using log = await openLog(dir);
  const answers = await Promise.all(Array.from({ length: copies }, () => log.record(faultEvent('same'))));
  writeFileSync(receipts, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
}

await main(JSON.parse(process.argv[2] ?? ''));
