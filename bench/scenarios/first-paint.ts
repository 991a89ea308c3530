import { launch } from '../../test/e2e/browser.ts';
import { Helper, type Serving } from '../http/served.ts';
import { largeData } from '../large-data.ts';
import type { Figures, Task } from '../scenario.ts';
import { median } from '../statistics.ts';

/** What a visit found, milliseconds since the page was asked for. */
interface Visit {
  readonly painted: number;
  readonly listed: number;
  readonly sealed: number;
}

/**
 * The viewer on the large log, in a browser that has never been there: from asking for the page to its first paint (as the
 * browser measures it), to the first row of the list, and to the first row that the page itself has verified.
 */
export async function run({ dir, log, quick }: Task): Promise<Figures> {
  const data = largeData(dir, log);
  await using server = new Helper('server.ts');
  const { port, key } = await server.ask<Serving>({ data });
  const browser = await launch();
  try {
    const visits: Visit[] = [];
    for (let count = 0; count < (quick ? 1 : 9); count += 1) visits.push(await visit(browser, port, key));
    const of = (name: keyof Visit): number => median(visits.map((one) => one[name]));
    return { paint_ms: of('painted'), rows_ms: of('listed'), sealed_ms: of('sealed') };
  } finally {
    await browser.close();
  }
}

async function visit(browser: Awaited<ReturnType<typeof launch>>, port: number, key: string): Promise<Visit> {
  const headers = { authorization: `Bearer ${key}` };
  const made = await fetch(`http://127.0.0.1:${port}/v1/links`, { method: 'POST', headers });
  const { url } = (await made.json()) as { url: string };
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    await context.addInitScript(() => {
      const seen: Record<string, number> = {};
      Object.assign(globalThis, { seen });
      const look = (): void => {
        if (document.querySelector('[role="row"] .cell') !== null) seen['listed'] ??= performance.now();
        if (document.querySelector('.badge.sealed') !== null) seen['sealed'] ??= performance.now();
        if (seen['sealed'] === undefined) requestAnimationFrame(look);
      };
      look();
    });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator('.badge.sealed').first().waitFor();
    return await page.evaluate(() => {
      const { seen } = globalThis as unknown as { seen: { listed: number; sealed: number } };
      const [paint] = performance.getEntriesByName('first-contentful-paint');
      return { painted: paint?.startTime ?? Number.NaN, listed: seen.listed, sealed: seen.sealed };
    });
  } finally {
    await context.close();
  }
}
