/** Characters that a terminal obeys or hides: C0, DEL, C1, bidi and other invisible controls, tags, lone surrogates. */
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** The same without C0, which `JSON.stringify` has escaped already. */
const unsafeInJson =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function asUnits(character: string): string {
  let out = '';
  for (let unit = 0; unit < character.length; unit++) {
    out += `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`;
  }
  return out;
}

/** `text` with every control and invisible character written out, as in `\u001b`: safe to show on any terminal. */
export function escapeText(text: string): string {
  return text.replace(unsafe, (character) => short[character] ?? asUnits(character));
}

/** One line of JSON that means `value` and is safe to show: what {@link escapeText} hides is `\u` escaped inside strings. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(unsafeInJson, asUnits);
}
