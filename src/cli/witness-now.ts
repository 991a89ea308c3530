import { Command } from 'commander';
import { LogError } from '../bytes/index.ts';
import { type FollowerStatus, openLog } from '../log/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { jsonOption, logOption } from './options.ts';
import { group } from './progress.ts';
import { type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible record --log audit event.json && indelible witness now --log audit

  What is open for long shows its checkpoints by itself, in the background; a command that ends at once does not. This one waits for
  every witness, and ends with 3 where one has not cosigned. Those that sign by hand are not asked: see witness request.
`;

/** `witness now --log DIR`. */
export function witnessNowCommand(io: Io): Command {
  return new Command('now')
    .description('show the newest checkpoint to every witness now, once')
    .addOption(logOption())
    .addOption(jsonOption('print one JSON object a line'))
    .addHelpText('after', help)
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      const states = await askAll(dir);
      if (states.length === 0) throw new UsageError('no witness of this log has an address: see witness add');
      for (const state of states) {
        if (!hasCosigned(state)) io.status = exitStatus.failed;
        if (json === true) await io.out.json(resultOf(state));
        else if (hasCosigned(state)) await io.out.line(lineOf(state));
        else await io.words.line(lineOf(state));
      }
    });
}

async function askAll(dir: string): Promise<FollowerStatus[]> {
  await using log = await openLog(dir, { readOnly: true });
  const states = await log.witnessNow();
  // An alarm belongs into the log, and nobody may open it to write for long.
  if (states.some(({ state }) => state === 'refused')) await recordRefusals(dir);
  return states;
}

/** Has the refusals recorded that have no entry yet; where this process cannot write, whoever opens the log to write does it. */
async function recordRefusals(dir: string): Promise<void> {
  try {
    await using log = await openLog(dir, { thread: 'caller' });
    await log.witnessNow();
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
  }
}

/** Whether a witness has cosigned just now: what was asked of it left no trouble behind. */
function hasCosigned({ lag, lastError, state }: FollowerStatus): boolean {
  return lag === 0 && lastError === undefined && state === 'following';
}

function resultOf(state: FollowerStatus): object {
  const { size, lag, lastError } = state;
  const why = hasCosigned(state) ? {} : { why: lastError?.message ?? refusal };
  return { witness: nameOf(state), cosigned: hasCosigned(state), size, lag, ...why };
}

const refusal = 'it refuses, since it holds another history or does not know the key: see witness list';

function lineOf(state: FollowerStatus): Shown {
  const { size, lastError } = state;
  if (hasCosigned(state)) return show`${nameOf(state)}  cosigned up to size ${group(size)}`;
  return show`${nameOf(state)}  has not cosigned: ${lastError?.message ?? refusal}`;
}

function nameOf({ name }: FollowerStatus): string {
  return name.replace(/^witness\//, '');
}
