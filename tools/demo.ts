/**
 * The show behind `npm run demo`: real commands on a real log in ./data/demo, each printed before it runs, so that a newcomer
 * can type it again. Run a second time it goes on with the same log, and nothing is recorded twice.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { styleText } from 'node:util';

const origin = 'demo.example/audit';
const project = resolve(import.meta.dirname, '..');
const program = join(project, 'dist/cli/main.js');
const samples = relative(process.cwd(), join(project, 'examples/sample-events.jsonl'));
const dir = process.argv[2] ?? 'data/demo';
/** What the demo keeps beside the log: the receipts, and a proof. */
const keep = join(dir, 'demo');
const provenId = 'sample-012';

const say = (text = ''): void => console.log(text);
const bold = (text: string): string => styleText('bold', text);
const dim = (text: string): string => styleText('dim', text);

let step = 0;
function chapter(title: string, words: string): void {
  step += 1;
  say();
  say(bold(`${step}  ${title}`));
  say(words);
  say();
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=@+-]+$/.test(word) ? word : `'${word}'`;
}

/** Shows a command, runs it, and stops the show where it fails. Returns what it printed, if that was asked for. */
function indelible(
  words: readonly string[],
  options: { cwd?: string; capture?: boolean; shown?: string } = {},
): string {
  say(dim(`$ indelible ${options.shown ?? words.map(quoted).join(' ')}`));
  const run = spawnSync(process.execPath, [program, ...words], {
    cwd: options.cwd ?? process.cwd(),
    stdio: ['ignore', options.capture === true ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (run.error !== undefined) throw run.error;
  if (run.status !== 0) {
    say(`\nThe command ended with status ${run.status}; the show stops here.`);
    process.exit(run.status ?? 3);
  }
  return run.stdout ?? '';
}

/** Whether there is a demo log already. Ends the program where something else is in the way: it is not ours. */
function findLog(): boolean {
  const vkey = join(dir, 'log.vkey');
  if (existsSync(vkey) && readFileSync(vkey, 'utf8').startsWith(`${origin}+`)) return true;
  if (existsSync(dir)) {
    say(`${dir} is there already and is no log of this demo, so it stays as it is.`);
    say('Name another folder: npm run demo -- another-folder');
    process.exit(2);
  }
  const mark = `${dir}.mark`;
  if (existsSync(mark) && readFileSync(mark, 'utf8').startsWith(`${origin}\n`)) {
    say(
      `${mark} remembers an earlier demo log that somebody removed. In earnest that would be an alarm, and init`,
    );
    say('would refuse; this is the demo, so its own mark is cleared away.');
    rmSync(mark);
  }
  return false;
}

function begin(): void {
  if (findLog()) {
    chapter('A log', `${dir} holds the log of an earlier run; the show goes on with it.`);
    indelible(['key', '--log', dir]);
    return;
  }
  chapter('A log', 'It has a name for ever, a key that signs it, and a root key that belongs offline.');
  indelible(['init', dir, '--origin', origin]);
}

function record(): string {
  chapter(
    'Record',
    'A day of an invented company: sign-ins, a lock-out, roles, an agent on behalf of a person, a revoked key.\n' +
      'Each receipt is printed when its event is on the disk. An id that was recorded before answers the same receipt.',
  );
  const receipts = indelible(['record', '--log', dir, samples], {
    capture: true,
    shown: `record --log ${dir} ${samples} > ${keep}/receipts.jsonl`,
  });
  mkdirSync(keep, { recursive: true });
  writeFileSync(join(keep, 'receipts.jsonl'), receipts);
  const lines = receipts.trimEnd().split('\n');
  const { checkpoint, ...rest } = JSON.parse(lines.at(-1) ?? '{}') as { checkpoint: string };
  say(`${lines.length} receipts. The last one:`);
  say(JSON.stringify(rest));
  for (const line of checkpoint.trimEnd().split('\n')) say(dim(`  ${line}`));
  return join(keep, 'receipts.jsonl');
}

function search(): void {
  chapter('Find', 'Who was refused something that mattered?');
  indelible(['query', '--log', dir, 'outcome:denied severity:high']);
  say();
  say('And everything that has to do with one support ticket, by full text:');
  say();
  indelible(['query', '--log', dir, '4423']);
}

function verify(vkey: string, receipts: string): void {
  chapter('Verify', 'Every byte again, against the key and the receipts that were kept.');
  indelible(['verify', dir, '--vkey', vkey, '--index', '--held', receipts], {
    shown: `verify ${dir} --vkey "$(cat ${dir}/log.vkey)" --index --held ${receipts}`,
  });
}

function prove(vkey: string): void {
  chapter('Prove', 'One event, as two small files that anybody can check without this log.');
  const [proof, entry] = [join(keep, 'p.tlog-proof'), join(keep, 'e.json')];
  indelible(['prove', '--log', dir, provenId, '--out', proof, '--entry', entry]);
  const elsewhere = mkdtempSync(join(tmpdir(), 'indelible-demo-'));
  try {
    copyFileSync(proof, join(elsewhere, 'p.tlog-proof'));
    copyFileSync(entry, join(elsewhere, 'e.json'));
    say();
    say('In an empty folder, with nothing but the two files and the public key:');
    say();
    indelible(['verify', '--proof', 'p.tlog-proof', '--entry', 'e.json', '--vkey', vkey], { cwd: elsewhere });
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
}

function drill(): void {
  chapter('Break it', 'The log is copied, and each copy is attacked by somebody who has the disk.');
  indelible(['drill', dir]);
}

say(bold('indelible') + dim(' · an audit log that shows when it was changed'));
say(
  dim(`indelible below is: ${relative(process.cwd(), process.execPath)} ${relative(process.cwd(), program)}`),
);
begin();
const receipts = record();
search();
const vkey = readFileSync(join(dir, 'log.vkey'), 'utf8').trim();
verify(vkey, receipts);
prove(vkey);
drill();
say();
say(`The log stays in ${dir}. Try: edit ${dir}/log.db with any tool, and verify again.`);
