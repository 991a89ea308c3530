import { canonicalString, isMisuse, misuse } from '../bytes/index.ts';
import {
  type Draft,
  entryText,
  formatDraft,
  type Group,
  groupHole,
  nonceHole,
  orderHole,
  sealDraft,
  timeHole,
} from './draft.ts';
import type { EventSource, PersonalIds } from './model.ts';
import { type PartyOptions, writeParty } from './party.ts';
import { pseudonym } from './pseudonym.ts';
import { EventError, type Path, pointerTo, refusal } from './refusal.ts';
import {
  type EventFieldName,
  eventFields,
  limits,
  reservedAction,
  reservedIds,
  type SealedFieldName,
  sealedFieldNames,
  sourceRule,
  subjectText,
  type TextRule,
} from './rules.ts';
import { checkFound, type PlanNode, readPlan } from './seal-plan.ts';
import { Sealer } from './sealer.ts';
import { type Moment, momentOf, readTime } from './time.ts';
import {
  checkChoice,
  checkList,
  checkText,
  exceeds,
  missingField,
  ownNames,
  tooLarge,
  unknownField,
  writeRule,
} from './value.ts';

/** What the log knows and the event does not say. */
export interface PrepareOptions {
  /** The id to use if the event has none. */
  readonly id: string;
  /** When it happened if the event does not say: RFC 3339, UTC, milliseconds. */
  readonly occurredAt: string;
  /** The log's clock, in milliseconds since 1970, for the rule about the future. */
  readonly now: number;
  readonly source: EventSource;
  readonly personalIds: PersonalIds;
  /** The key of `personalIds: 'pseudonymise'`. */
  readonly pseudonymKey?: Uint8Array;
  /**
   * The fields of the event's `context` that stand there because of where it was recorded, and not because the caller wrote them:
   * another request that repeats the event may bring others. Letters and digits alone.
   */
  readonly filled?: readonly string[];
  /** Set by the log for its own entries: lets `log.*` through, and ids that look personal. */
  readonly own?: boolean;
}

/**
 * Checks an event and writes it as a draft: canonical JSON with holes for what is only known later. Runs on
 * the caller's thread, so it makes few objects, and reads each property once. A bad event throws
 * `EventError`, whatever is bad about it; options that the log itself got wrong throw misuse.
 */
export function prepareEvent(event: unknown, options: PrepareOptions): Draft {
  const preparation = new Preparation(options);
  try {
    return preparation.draft(event);
  } catch (cause) {
    if (cause instanceof EventError || isMisuse(cause)) throw cause;
    // The caller's own getter or proxy threw under our hands. The events handed in beside this one must not
    // suffer.
    const reason = { rule: 'could not be read', hint: 'Hand in plain data, without getters or proxies.' };
    throw new EventError('event_value_invalid', pointerTo(preparation.path), reason, { cause });
  }
}

type Fields = Record<EventFieldName, unknown>;

/** Every field, not given. Since all names stand here, nothing that the event might inherit is ever seen. */
const noFields = Object.fromEntries(Object.keys(eventFields).map((name) => [name, undefined])) as Fields;

/** One event on its way into a draft, written in the order of the entry. */
class Preparation {
  /** Leads to the value in hand, for refusals. */
  readonly path: Path = [];
  readonly #options: PrepareOptions;
  readonly #sealer = new Sealer();

  constructor(options: PrepareOptions) {
    this.#options = options;
  }

  draft(event: unknown): Draft {
    const given = this.#ownFields(event);
    const id = checkText(given.id === undefined ? this.#options.id : given.id, eventFields.id.rule, ['id']);
    const reserved = Object.values(reservedIds).find((beginning) => id.startsWith(beginning));
    if (reserved !== undefined && !this.#options.own) {
      throw refusal(
        'action_reserved',
        ['id'],
        `must not begin with ${reserved}`,
        'The log keeps these ids for itself.',
      );
    }
    const plan =
      given.clear === undefined && given.seals === undefined
        ? undefined
        : readPlan(given.clear, given.seals, (subject, path) => this.#subject(subject, path));
    const text = this.#entry(given, id, plan);
    if (plan !== undefined) checkFound(plan);
    const givenId = given.id !== undefined;
    const givenOccurredAt = given.occurredAt !== undefined;
    const { filled = [] } = this.#options;
    const draft = formatDraft({ id, givenId, givenOccurredAt, fields: this.#sealer.fields, filled }, text);
    this.#checkSize(draft);
    return draft;
  }

  /** The event's fields by name, each read once; refuses names that no event has. */
  #ownFields(event: unknown): Fields {
    const given = { ...noFields };
    const { path } = this;
    for (const name of ownNames(event, path, 'An event is an object: {action, actor, …}.')) {
      if (!Object.hasOwn(noFields, name)) throw unknownField(name, Object.keys(eventFields), path);
      path.push(name);
      given[name as EventFieldName] = (event as Fields)[name as EventFieldName];
      path.pop();
    }
    return given;
  }

  /** The entry with its holes. */
  #entry(given: Fields, id: string, plan: PlanNode | undefined): string {
    const open = plan && new Map<SealedFieldName, string>();
    const sealed = this.#sealedFields(given, plan, open);
    const opened = (name: SealedFieldName): string => {
      const text = open?.get(name);
      return text === undefined
        ? ''
        : `,"${name}":${this.#sealer.open(text, plan!.children.get(name)!, [name])}`;
    };
    let text = `"action":"${this.#action(given.action)}","actor":${this.#actor(given.actor, plan)}`;
    text += `${this.#id(given, 'causationId')}${opened('changes')}${opened('context')}`;
    text += `${this.#id(given, 'correlationId')}${opened('error')},"id":"${id}"${opened('labels')}${opened('metadata')}`;
    text += `,"nonce":"${nonceHole}","occurredAt":"${this.#occurredAt(given.occurredAt)}"`;
    text += `,"outcome":"${given.outcome === undefined ? 'success' : this.#choice(given, 'outcome')}"`;
    text += `${opened('reason')},"recordedAt":"${timeHole}"`;
    if (sealed.count > 0) text += `,"sealed":[${orderHole}]`;
    // `seals` stands before the targets, and may name values in them.
    const targets = this.#targets(given.targets, plan?.children.get('targets'));
    const named = this.#sealer.namedText();
    if (named !== undefined) text += `,"seals":${named}`;
    if (given.severity !== undefined) text += `,"severity":"${this.#choice(given, 'severity')}"`;
    text += `,"source":${this.#source()},"targets":${targets},"v":1}`;
    const top = sealed.count > 0 ? `"_sd":[${groupHole(sealed)}],` : '';
    return `{${top}${this.#sealer.fields > 0 ? '"_sd_alg":"sha-256",' : ''}${text}`;
  }

  /** Seals the fields that are sealed whole, and leaves the others, which the plan opens, in `open`. */
  #sealedFields(
    given: Fields,
    plan: PlanNode | undefined,
    open: Map<SealedFieldName, string> | undefined,
  ): Group {
    const group: Group = { count: 0, fields: '' };
    const { path } = this;
    for (const name of sealedFieldNames) {
      const value = given[name];
      if (value === undefined) continue;
      path.push(name);
      const text = writeRule(value, eventFields[name].rule, path, 1);
      const node = plan?.children.get(name);
      if (node === undefined || node.mark === 'seal') this.#sealer.seal(group, `"${name}"`, text, path, node);
      else {
        if (name === 'metadata' && exceeds(text, limits.metadataBytesMax)) throw tooLarge(path);
        open?.set(name, text);
      }
      path.pop();
    }
    return group;
  }

  #action(value: unknown): string {
    if (value === undefined) throw missingField('action', [], eventFields.action.rule.hint);
    const action = checkText(value, eventFields.action.rule, ['action']);
    if (!reservedAction.test(action) || this.#options.own) return action;
    throw refusal(
      'action_reserved',
      ['action'],
      'must not begin with log',
      'Only the log itself writes log.* entries.',
    );
  }

  #id(given: Fields, name: 'causationId' | 'correlationId'): string {
    const value = given[name];
    return value === undefined ? '' : `,"${name}":"${checkText(value, eventFields[name].rule, [name])}"`;
  }

  #choice(given: Fields, name: 'outcome' | 'severity'): string {
    return checkChoice(given[name], eventFields[name].rule, [name]);
  }

  #occurredAt(value: unknown): string {
    if (value === undefined) return this.#options.occurredAt;
    const moment =
      typeof value === 'string'
        ? readTime(value)
        : (momentOfDate(value) ?? 'must be an RFC 3339 text or a Date');
    if (typeof moment === 'string') {
      throw refusal(
        'event_time_invalid',
        ['occurredAt'],
        moment,
        'Write it as 2026-01-31T23:59:59.999Z, or with an offset.',
      );
    }
    if (moment.ms <= this.#options.now + limits.futureMsMax) return moment.text;
    throw refusal(
      'event_time_future',
      ['occurredAt'],
      `must not lie more than ${limits.futureMsMax / 60_000} minutes ahead of the log's clock`,
      'Set the clock of the machine that made the event, or leave the field out.',
    );
  }

  #actor(value: unknown, plan: PlanNode | undefined): string {
    if (value === undefined) throw missingField('actor', [], 'Say who did it: {type: "user", id: "u_42"}.');
    this.path.push('actor');
    const text = writeParty(value, this.path, this.#partyOptions(2, plan?.children.get('actor')));
    this.path.pop();
    return text;
  }

  #targets(value: unknown, node: PlanNode | undefined): string {
    if (value === undefined) return '[]';
    const { path } = this;
    path.push('targets');
    const targets = checkList(value, limits.targetsMax, path);
    let text = '[';
    for (let index = 0; index < targets.length; index += 1) {
      path.push(index);
      if (index > 0) text += ',';
      text += writeParty(targets[index], path, this.#partyOptions(3, node?.children.get(String(index))));
      path.pop();
    }
    path.pop();
    return `${text}]`;
  }

  /** Only the actor, two levels down in an event, may act on behalf of another. */
  #partyOptions(depth: 2 | 3, node: PlanNode | undefined): PartyOptions {
    return { sealer: this.#sealer, node, depth, mayActFor: depth === 2, subjectId: this.#subjectId };
  }

  /** An id of a person or thing, as this log writes it. */
  readonly #subjectId = (id: string, path: Path): string => {
    const { personalIds, pseudonymKey, own } = this.#options;
    if (personalIds === 'allow' || own || !id.includes('@')) return id;
    if (personalIds === 'refuse') {
      throw refusal(
        'personal_id',
        path,
        'must not be an address: an id can never be erased',
        'Use an internal id and put the address into an attribute such as email, or create the log with personalIds: "pseudonymise".',
      );
    }
    if (pseudonymKey === undefined)
      throw misuse('type', 'pseudonym_key_invalid', 'This log needs its pseudonym key.');
    return pseudonym(id, pseudonymKey);
  };

  /** A subject that `seals` name: the same rule for its id as where it appears. */
  #subject(value: unknown, path: Path): string {
    const subject = checkText(value, subjectText, path);
    const slash = subject.indexOf('/');
    return subject.slice(0, slash + 1) + this.#subjectId(subject.slice(slash + 1), path);
  }

  /** `source` is the log's own, so what is wrong with it is the log's fault, or its configuration's. */
  #source(): string {
    const { source } = this.#options;
    const { credential, instance, service, version } = sourceRule.fields;
    const write = (value: string, rule: TextRule, name: string): string =>
      canonicalString(checkText(value, rule, ['source', name]));
    if (source.seq !== null && !(Number.isSafeInteger(source.seq) && source.seq >= 0)) {
      throw misuse('range', 'source_seq_invalid', 'source.seq counts from 0, or is null.');
    }
    let text = '{';
    if (source.credential !== undefined)
      text += `"credential":${write(source.credential, credential, 'credential')},`;
    text += `"instance":${write(source.instance, instance, 'instance')},"seq":${source.seq}`;
    text += `,"service":${write(source.service, service, 'service')}`;
    if (source.version !== undefined) text += `,"version":${write(source.version, version, 'version')}`;
    return `${text}}`;
  }

  /**
   * Refuses what would be too large in the end. Nearly every event is so small that a look at the draft is
   * enough; the others are sealed with zeros for once, and measured to the byte.
   */
  #checkSize(draft: Draft): void {
    if (draft.length + this.#sealer.fields * 64 < 16_384) return;
    const sealed = sealDraft(draft, (bytes) => new Uint8Array(bytes));
    if (exceeds(entryText(sealed, this.#options.occurredAt), limits.entryBytesMax)) {
      throw refusal(
        'event_too_large',
        [],
        `makes an entry of more than ${limits.entryBytesMax} bytes`,
        'Take values out of clear, or record several events.',
      );
    }
    if (exceeds(sealed.disclosures.join(''), limits.disclosuresBytesMax)) {
      throw refusal(
        'event_too_large',
        [],
        `has more than ${limits.disclosuresBytesMax} bytes of sealed values`,
        'Keep the large thing elsewhere and record its hash and where it is.',
      );
    }
  }
}

/** The moment of a Date, of this realm or another; undefined for anything else. */
function momentOfDate(value: unknown): Moment | undefined {
  try {
    return momentOf(Date.prototype.getTime.call(value));
  } catch {
    return undefined;
  }
}
