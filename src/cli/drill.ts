import { Command } from 'commander';
import { controlName, type DrillRow, drill } from '../drill/index.ts';
import { LogError } from '../log/index.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { folderArgument, given, jsonOption, keyOption } from './options.ts';
import { Progress } from './progress.ts';
import { tableLines } from './table.ts';
import { fit, type Painter, type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible drill audit

  Copies the log and attacks the copies as somebody with the disk would: edits, deletions, swaps, a rewritten history.
  Each time the verifier is asked. The log itself is never touched. Attacks that need the real key are staged with
  log.key, or the file that --key names, and skipped where there is none.
`;

/** `drill DIR`: stages attacks on copies of a log. */
export function drillCommand(io: Io): Command {
  return new Command('drill')
    .description('attack copies of a log and see what is caught')
    .addArgument(folderArgument('<dir>', 'folder of the log'))
    .addOption(keyOption())
    .addOption(jsonOption('print the list as JSON'))
    .addHelpText('after', help)
    .action((dir: string, options: { key?: string; json?: boolean }) => runDrill(io, dir, options));
}

async function runDrill(io: Io, dir: string, { key, json }: { key?: string; json?: boolean }): Promise<void> {
  const progress = new Progress(io.words, 'attacking');
  // The stage holds copies of the log: whoever interrupts the drill must not leave them behind.
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort(new LogError('closed', 'the drill was interrupted'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const rows = await drill(dir, {
    ...given({ key }),
    signal: interruption.signal,
    onProgress: (done, total) => progress.at(done, total),
  }).finally(() => {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    progress.end();
  });
  const wrong = rows.filter((row) => row.skipped === undefined && row.caught !== row.expected);
  if (json === true) await io.out.json(rows);
  else {
    await io.out.lines(drillTable(rows, io));
    const caught = rows.filter((row) => row.caught).length;
    const staged = rows.filter((row) => row.skipped === undefined && row.attack !== controlName).length;
    await io.out.line(show``);
    await io.out.line(
      show`${caught} of ${staged} attacks caught. ${closing(rows, wrong.length, io.out.paint)}`,
    );
  }
  if (wrong.length > 0) io.status = exitStatus.evidence;
}

function closing(rows: readonly DrillRow[], wrong: number, paint: Painter): Shown {
  if (wrong > 0) return paint('red', `${wrong} came out otherwise than they must.`);
  const unseen = rows.filter((row) => !row.caught && !row.expected && row.skipped === undefined);
  if (unseen.length === 0) return paint('green', 'Nothing went unseen.');
  return show`${paint('green', 'Nothing went unseen that could be seen')}: what was not caught needs a receipt held outside.`;
}

const wordsIndent = 4;
/** Columns of a terminal on which the verifier's words have room beside the rest; else they stand underneath. */
const wideColumns = 150;

function drillTable(rows: readonly DrillRow[], io: Io): Shown[] {
  const { paint, columns } = io.out;
  const titles = [{ title: 'ATTACK' }, { title: 'CAUGHT' }, { title: 'BY' }];
  const cells = rows.map((row) => [row.attack, verdict(row, paint), row.by]);
  if (columns === 0 || columns >= wideColumns) {
    const last = { title: "THE VERIFIER'S WORDS", ...(columns === 0 ? {} : { width_max: columns - 110 }) };
    return tableLines(
      [...titles, last],
      rows.map((row, place) => [...(cells[place] ?? []), row.words]),
      paint,
    );
  }
  const lines = tableLines(titles, cells, paint);
  return lines.flatMap((line, place) => {
    const row = rows[place - 1];
    if (row === undefined) return [line];
    return [line, show`${' '.repeat(wordsIndent)}${paint('dim', fit(row.words, columns - wordsIndent))}`];
  });
}

function verdict(row: DrillRow, paint: Painter): Shown {
  if (row.skipped !== undefined) return paint('dim', 'skipped');
  if (row.caught) return row.expected ? paint('green', 'yes') : paint('red', 'FALSE ALARM');
  return row.expected ? paint('red', 'NO') : paint('yellow', 'no, expected');
}
