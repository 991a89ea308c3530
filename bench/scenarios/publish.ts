import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openLog } from 'indelible';
import { publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import type { Figures, Task } from '../scenario.ts';

/**
 * Publishes the large log to a folder, entries and tree; verifies it from there on two threads, hashes and tree only and then with every
 * entry parsed; restores it from there. The most memory counts over publishing and verifying.
 */
export async function run({ dir, log: place, size }: Task): Promise<Figures> {
  const [pub, to] = [pathToFileURL(join(dir, 'pub')).href, join(dir, 'restored')];
  const rate = async (work: () => Promise<unknown>) => {
    const begin = performance.now();
    await work();
    return (size * 1000) / (performance.now() - begin);
  };
  const log = await openLog(place, { readOnly: true });
  const { vkey } = log;
  const publish_rate = await rate(() => publishLog(log, { to: pub, disclosures: false }));
  await log.close();
  const verify = async (depth: 'tree' | 'full') => {
    const report = await verifyPublished(pub, { vkey, depth, threads: 2 });
    if (!report.ok)
      throw new Error(`what was published does not verify: ${JSON.stringify(report.findings[0])}`);
  };
  const tree_rate = await rate(() => verify('tree'));
  const full_rate = await rate(() => verify('full'));
  const peak_rss_mb = process.resourceUsage().maxRSS / 1024;
  const restore_rate = await rate(() => restoreLog({ from: pub, to, vkey }));
  rmSync(to, { recursive: true });
  return { publish_rate, tree_rate, full_rate, restore_rate, peak_rss_mb };
}
