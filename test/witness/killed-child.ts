// One request to a witness, which ends this process at a step of its own: for killed.test.ts.

import { type Cosigner, parseNote } from 'indelible/note';
import { openWitness, Witness, type WitnessStore, watchedLogs } from 'indelible/witness';

const [, , dir, vkey, step] = process.argv;
const die = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

const { store, cosigners } = openWitness(dir!);

/** Dies while the transaction is open: when it has judged, before a signature; or when it has one, before it is kept. */
const mortal = cosigners.map(
  (cosigner): Cosigner => ({
    key: cosigner.key,
    cosign: (text, timestamp) => {
      if (step === 'judged') die();
      const line = cosigner.cosign(text, timestamp);
      if (step === 'signed') die();
      return line;
    },
  }),
);

/** Dies when the transaction is on the disk, before the answer. */
const dying = new Proxy(store, {
  get: (target, name) => {
    if (name !== 'advance') return Reflect.get(target, name);
    return (...words: Parameters<WitnessStore['advance']>) => {
      const next = target.advance(...words);
      parseNote(next.note);
      if (step === 'kept') die();
      return next;
    };
  },
});

const witness = new Witness({
  store: dying,
  cosigners: mortal,
  logs: watchedLogs([{ vkey: vkey! }]),
  now: () => 1_767_139_200_000,
});

process.once('message', (body: Uint8Array) => {
  const verdict = witness.addCheckpoint(new Uint8Array(body));
  process.send!(verdict.status === 200 ? [...verdict.lines] : [`refused ${verdict.status}`], () => {
    store.close();
    process.disconnect();
  });
});
