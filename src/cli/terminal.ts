import { styleText } from 'node:util';
import { escapeText, safeJson } from '../bytes/index.ts';

/*
 * Everything in a log was written by somebody, perhaps by somebody hostile. A terminal obeys what it is shown: an
 * escape sequence moves the cursor, writes the clipboard or repaints a line that was a warning; a bidirectional
 * control makes one name read as another. So text becomes printable in one place, and the type says that it did.
 */

export { escapeText, safeJson };

/** Text that may go to a terminal as it is. Made by {@link show} and by a {@link Painter}, and by nothing else. */
export class Shown {
  readonly text: string;
  /** Columns that it takes. */
  readonly width: number;

  constructor(text: string, width: number) {
    this.text = text;
    this.width = width;
  }
}

/** What {@link show} accepts between its words. */
export type Showable = Shown | string | number | bigint;

/** Makes a value from anywhere safe to show. */
export function toShown(value: Showable): Shown {
  if (value instanceof Shown) return value;
  const text = escapeText(String(value));
  return new Shown(text, columnsOf(text));
}

/** Template tag: the words stand as they are written in this program, the values between them are escaped. */
export function show(words: TemplateStringsArray, ...values: Showable[]): Shown {
  let text = words[0] ?? '';
  let width = columnsOf(text);
  values.forEach((value, place) => {
    const part = toShown(value);
    const word = words[place + 1] ?? '';
    text += part.text + word;
    width += part.width + columnsOf(word);
  });
  return new Shown(text, width);
}

/** A style that a painter knows. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Puts a style on a text where the stream is a terminal that wants colours; elsewhere it only escapes. */
export type Painter = (style: Style, value: Showable) => Shown;

/** The painter of one stream. Honours NO_COLOR and FORCE_COLOR as Node does. */
export function painter(stream: NodeJS.WriteStream): Painter {
  return (style, value) => {
    const { text, width } = toShown(value);
    return new Shown(styleText(style, text, { stream }), width);
  };
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that escaped text takes on a terminal: two for East Asian wide characters and for emoji. */
export function columnsOf(text: string): number {
  if (/^[\x20-\x7e\n]*$/.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += wide.test(segment) ? 2 : 1;
  return columns;
}

/** The text cut to `columns`, with an ellipsis where something was left out. */
export function fit(value: string, columns: number): Shown {
  const text = escapeText(value);
  if (columnsOf(text) <= columns) return new Shown(text, columnsOf(text));
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = wide.test(segment) ? 2 : 1;
    if (used + next > columns - 1) break;
    kept += segment;
    used += next;
  }
  return new Shown(`${kept}…`, used + 1);
}
