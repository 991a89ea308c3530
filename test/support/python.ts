import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

const script = path.join(import.meta.dirname, '../../verifiers/python/indelible_verify.py');

/** Why the verifier in Python cannot run here, or false. */
export const pythonMissing: string | false =
  spawnSync('python3', ['--version']).status === 0 ? false : 'there is no python3 here';

/** Runs the verifier in Python on the words of its command line. */
export function pythonVerifier(words: readonly string[]): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const { status, stdout, stderr } = spawnSync('python3', [script, ...words], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What the verifier in Python can be asked about many of, in one process: a start for each would take most of the time. */
const programs = {
  evidence: 'verifier.verify_evidence(bytes_of(words[0]), key)',
  proof: 'verifier.verify_proof(bytes_of(words[0]), bytes_of(words[1]), key)',
  tiles: 'verifier.verify_tiles(words[0], key)',
  entry: 'verifier.read_entry(words[0].encode("utf-8"))',
  removal: 'verifier.check_removal(verifier.read_entry(words[0].encode("utf-8"))[0], int(words[1]))',
} as const;

/**
 * The verdicts of the verifier in Python: of each item the paths that it takes, evidence, or proof and entry, or a folder of tiles;
 * or the text of an entry, for a record with its index. What its command line calls no verdict at all, a file that cannot be read, is none here.
 */
export async function pythonVerdictsOf(
  kind: keyof typeof programs,
  items: readonly (readonly string[])[],
  vkey: string | undefined,
): Promise<boolean[]> {
  const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import indelible_verify as verifier
key = verifier.vkey(sys.argv[2]) if sys.argv[2] else None
def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()
for line in sys.stdin:
    words = json.loads(line)
    try:
        ${programs[kind]}
        print("true")
    except (*verifier.REFUSALS, FileNotFoundError):
        print("false")
`;
  const child = spawn('python3', ['-c', program, path.dirname(script), vkey ?? '']);
  let out = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.end(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (status !== 0) throw new Error(`The verifier in Python ended with ${status}: ${errors}`);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line === 'true');
}

/** {@link pythonVerdictsOf} files of evidence. */
export function pythonVerdicts(files: readonly string[], vkey: string | undefined): Promise<boolean[]> {
  return pythonVerdictsOf(
    'evidence',
    files.map((file) => [file]),
    vkey,
  );
}
