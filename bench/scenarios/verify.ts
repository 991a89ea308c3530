import { openLog } from 'indelible';
import type { Figures, Task } from '../scenario.ts';

/**
 * Verifies the whole log: every entry parsed, every disclosure matched, every stored column and tile compared, on one thread
 * and on two; then hashes and tree only. The most memory counts over all three.
 */
export async function run({ log: dir, size }: Task): Promise<Figures> {
  await using log = await openLog(dir, { readOnly: true });
  const rate = async (options: Parameters<typeof log.verify>[0]) => {
    const begin = performance.now();
    const report = await log.verify(options);
    if (!report.ok)
      throw new Error(`the log of the benchmark does not verify: ${JSON.stringify(report.findings[0])}`);
    return (size * 1000) / (performance.now() - begin);
  };
  const one_rate = await rate({ threads: 1 });
  const two_rate = await rate({ threads: 2 });
  const tree_rate = await rate({ threads: 1, depth: 'tree' });
  return { one_rate, two_rate, tree_rate, peak_rss_mb: process.resourceUsage().maxRSS / 1024 };
}
