import { base64Decode } from '../../../src/bytes/index.ts';
import type { EventWire } from '../../../src/wire/index.ts';
import type { Api } from '../api/api.ts';
import {
  type CheckedRow,
  type HeadVerdict,
  LogVerifier,
  type Pin,
  type Pins,
  type Row,
} from '../proof/index.ts';
import { openRow } from '../proof/open-row.ts';

/** An event as this page shows it: opened here from its bytes, with what was found of them so far. */
export interface ShownEvent extends CheckedRow {
  readonly id: string;
  /** The bytes, for a reader who wants them; undefined where the server sent none. */
  readonly row: Row | undefined;
}

/** What the page has found of one log so far. */
export interface ProofState {
  readonly pin: Pin | undefined;
  /** Undefined until the first checkpoint has been judged. */
  readonly head: HeadVerdict | undefined;
  readonly checkedAt: Date | undefined;
  /** Indexes of rows that were shown and are not what the log signed. */
  readonly broken: readonly number[];
  readonly sealedCount: number;
}

const unknown: ProofState = {
  pin: undefined,
  head: undefined,
  checkedAt: undefined,
  broken: [],
  sealedCount: 0,
};

/** One log under check, for everything on the page that speaks of it. */
export class LogProof {
  readonly log: string;
  readonly #api: Api;
  readonly #pins: Pins;
  readonly #listeners = new Set<() => void>();
  #verdicts = new Map<string, CheckedRow>();
  /** Under which verdict about the log each row was last judged. */
  readonly #triedUnder = new Map<string, HeadVerdict | undefined>();
  #state: ProofState = unknown;
  #verifier: LogVerifier | undefined;
  #starting: Promise<void> | undefined;

  /** `vkey`: the key, where whoever shows this page brought it along. */
  constructor(log: string, { api, pins, vkey }: { api: Api; pins: Pins; vkey?: string | undefined }) {
    this.log = log;
    this.#api = api;
    this.#pins = pins;
    if (vkey !== undefined) this.#pin({ vkey, origin: 'given', at: new Date().toISOString() });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): ProofState => this.#state;

  /** Checks the newest checkpoint. */
  async refresh(): Promise<void> {
    await this.#start();
    if (this.#verifier !== undefined) await this.#verifier.refresh();
    this.#settle();
  }

  /** Puts another key in place of the pinned one, and judges everything anew. */
  async repin(vkey: string): Promise<void> {
    this.#pins.forgetSeen(this.log);
    this.#pin({ vkey, origin: 'given', at: new Date().toISOString() });
    this.#verdicts = new Map();
    this.#starting = undefined;
    this.#verifier = undefined;
    await this.refresh();
  }

  /** The event as it can be shown now: opened from its bytes, with the verdict if there is one. */
  shown(wire: EventWire): ShownEvent {
    const row = rowOf(wire);
    if (row === undefined) {
      const verdict = { state: 'unchecked', message: 'The server sent no bytes for this event.' } as const;
      return { id: wire.id, index: wire.index, row, verdict, event: wire, fields: [] };
    }
    const known = this.#verdicts.get(keyOf(row));
    if (known !== undefined) return { ...known, id: wire.id, row };
    const { index, event, fields, verdict } = openRow(row);
    return { id: wire.id, index, row, event, fields, verdict: verdict ?? { state: 'pending' } };
  }

  /** Checks events that are shown, each once. */
  async check(events: readonly ShownEvent[]): Promise<void> {
    await this.#start();
    const rows = events.flatMap(({ row }) => (row !== undefined && !this.#isSettled(row) ? [row] : []));
    if (rows.length === 0 || this.#verifier === undefined) return;
    for (const checked of await this.#verifier.check(rows)) {
      const row = rows.find(({ index }) => index === checked.index)!;
      this.#verdicts.set(keyOf(row), checked);
      this.#triedUnder.set(keyOf(row), this.#verifier.verdict);
    }
    this.#settle();
  }

  /** Whether asking again would give the same: it is sealed or broken, or no other checkpoint has come since. */
  #isSettled(row: Row): boolean {
    const key = keyOf(row);
    const state = this.#verdicts.get(key)?.verdict.state;
    if (state === undefined) return false;
    return state === 'sealed' || state === 'broken' || this.#triedUnder.get(key) === this.#verifier?.verdict;
  }

  /** Pins the key at the first visit, and makes the verifier. */
  #start(): Promise<void> {
    this.#starting ??= this.#begin().catch((error: unknown) => {
      this.#starting = undefined;
      const message = error instanceof Error ? error.message : String(error);
      this.#update({ head: { state: 'unreachable', message } });
    });
    return this.#starting;
  }

  async #begin(): Promise<void> {
    let pin = this.#state.pin ?? this.#pins.pin(this.log);
    if (pin === undefined) {
      const { vkey } = await this.#api.log(this.log);
      pin = { vkey, origin: 'first-use', at: new Date().toISOString() };
    }
    this.#pin(pin);
    const { vkey } = pin;
    this.#verifier = new LogVerifier({
      trust: { vkey },
      seen: this.#pins.seen(this.log),
      fetchCheckpoint: () => this.#api.treeFile(this.log, 'checkpoint'),
      fetchTile: (path) => this.#api.treeFile(this.log, path),
      fetchKeys: async () => {
        const { entries } = await this.#api.logKeys(this.log);
        return entries.map(({ index, entry }) => ({ index, entry: base64Decode(entry) }));
      },
      now: () => new Date(),
    });
    await this.#verifier.refresh();
  }

  #pin(pin: Pin): void {
    this.#pins.setPin(this.log, pin);
    this.#update({ pin });
  }

  #settle(): void {
    const head = this.#verifier?.verdict;
    const seen = this.#verifier?.seen;
    if (head?.state === 'sealed' && seen !== undefined) this.#pins.setSeen(this.log, seen);
    const verdicts = [...this.#verdicts.values()];
    this.#update({
      ...(head !== undefined && { head }),
      checkedAt: new Date(),
      broken: verdicts.filter(({ verdict }) => verdict.state === 'broken').map(({ index }) => index),
      sealedCount: verdicts.filter(({ verdict }) => verdict.state === 'sealed').length,
    });
  }

  #update(change: Partial<ProofState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function rowOf({ index, bytes }: EventWire): Row | undefined {
  return bytes === undefined ? undefined : { index, entry: bytes.entry, disclosures: bytes.disclosures };
}

/** Bytes that change between two answers are two questions. */
function keyOf({ index, entry, disclosures }: Row): string {
  return `${index} ${entry} ${disclosures.join(' ')}`;
}
