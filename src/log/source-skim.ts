import { utf8Decode } from '../bytes/index.ts';
import { type Entry, parseEntry } from '../event/index.ts';

/** What a watch needs of an entry. */
export interface SourceSeen {
  readonly source: Pick<Entry['source'], 'service' | 'instance' | 'credential' | 'seq'>;
  readonly recordedAt: string;
  /** Set for entries of `source.*`: all of it. */
  readonly frame: Entry | undefined;
}

const sourceText =
  /"source":\{(?:"credential":"([^"\\]*)",)?"instance":"([^"\\]*)","seq":(null|[0-9]{1,15}),"service":"([^"\\]*)"/y;
const timeText = /"recordedAt":"([^"\\]*)"/;

/**
 * Reads who sent an entry, and as which of its events, out of the canonical text, where that is safe: in it a quote within
 * a value is always escaped, so a name that stands there once is the entry's own. Otherwise the entry is parsed: a tenth of
 * the speed, and the same answer.
 */
export function skimSource(entry: Uint8Array): SourceSeen {
  const text = utf8Decode(entry);
  const at = text.indexOf('"source":{');
  const isOnce =
    at >= 0 &&
    text.lastIndexOf('"source":{') === at &&
    text.indexOf('"recordedAt":') === text.lastIndexOf('"recordedAt":');
  sourceText.lastIndex = at;
  const found = isOnce && !text.includes('"action":"source.') ? sourceText.exec(text) : null;
  const recordedAt = found === null ? undefined : timeText.exec(text)?.[1];
  if (found === null || recordedAt === undefined) return parsed(entry);
  const [, credential, instance, seq, service] = found;
  const source = {
    service: service!,
    instance: instance!,
    seq: seq === 'null' ? null : Number(seq),
    ...(credential === undefined ? {} : { credential }),
  };
  return { source, recordedAt, frame: undefined };
}

function parsed(bytes: Uint8Array): SourceSeen {
  const entry = parseEntry(bytes);
  const { source, recordedAt } = entry;
  return { source, recordedAt, frame: entry.action.startsWith('source.') ? entry : undefined };
}
