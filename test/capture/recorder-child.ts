// Records into a log that is away, tells of each event that was kept, and waits to be killed.

import { join } from 'node:path';
import { openRecorder } from 'indelible/recorder';

const [folder = ''] = process.argv.slice(2);
const away = { record: () => Promise.reject(new Error('the store is away')) };
const recorder = await openRecorder(away, { spool: join(folder, 'spool'), warn: () => {} });
for (let n = 0; n < 100_000; n += 1) {
  const id = `e-${String(n).padStart(6, '0')}`;
  await recorder.record({ id, action: 'invoice.voided', actor: { type: 'user', id: 'u_1' } });
  process.send!(id);
}
