// Reads a published log in a process of its own, and tells how that ended and how much memory it took.

import { openPublished, restoreLog, verifyPublished } from 'indelible/publish';
import type { Read, Reading } from './forged-world.ts';

const { call, url, vkey, to, keySearch } = JSON.parse(process.argv[2]!) as Reading;
const options = keySearch === undefined ? {} : { keySearch };

async function codes(): Promise<string[]> {
  try {
    if (call === 'verify') {
      const { findings } = await verifyPublished(url, { vkey, ...options });
      return findings.map(({ code, detail }) => `${code} ${String(detail?.['code'])}`);
    }
    if (call === 'restore') await restoreLog({ from: url, to: to!, vkey, ...options });
    else await openPublished(url, vkey, options);
    return [];
  } catch (error) {
    return [String((error as { code?: unknown }).code ?? error)];
  }
}

const read: Read = { codes: await codes(), megabytes: process.resourceUsage().maxRSS / 1024 };
process.send!(read);
process.disconnect();
