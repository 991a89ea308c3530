import type { LookReport } from './options.ts';

/** What is counted over many looks. */
export interface MonitorFigures {
  readonly looks: number;
  readonly told: number;
  readonly last: LookReport | undefined;
}

/** The figures of a monitor in the text format of Prometheus. */
export function metricsText({ looks, told, last }: MonitorFigures): string {
  const labels = last === undefined ? '' : `{origin="${last.origin.replace(/[\\"\n]/g, '_')}"}`;
  const seconds = (time: string): number => (time === '' ? 0 : Date.parse(time) / 1000);
  const lines: readonly (readonly [name: string, kind: 'counter' | 'gauge', help: string, value: number])[] =
    [
      ['looks_total', 'counter', 'Looks at the log.', looks],
      ['told_total', 'counter', 'Findings and notices that were told.', told],
      ...(last === undefined
        ? []
        : ([
            ['reached', 'gauge', 'Whether the last look could read the log.', last.isReached ? 1 : 0],
            ['findings', 'gauge', 'Findings that hold.', last.holds],
            ['size', 'gauge', 'Entries that are authenticated.', last.size],
            ['last_look_seconds', 'gauge', 'When the log was last looked at.', seconds(last.at)],
            [
              'last_entry_seconds',
              'gauge',
              'When the newest entry says that it was recorded.',
              seconds(last.recordedAt),
            ],
            ['webhook_waiting', 'gauge', 'Findings that the webhook has not taken.', last.waiting],
          ] as const)),
    ];
  return lines
    .map(([name, kind, help, value]) => {
      const full = `indelible_monitor_${name}`;
      return `# HELP ${full} ${help}\n# TYPE ${full} ${kind}\n${full}${labels} ${value}\n`;
    })
    .join('');
}
