/** Marks that turn the direction of text, or have no width, shown as what they are. */
const hidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text that shows everything that is in it. */
export function visible(text: string): string {
  const code = (mark: string): string => mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return text.replaceAll(hidden, (mark) => `⟨U+${code(mark)}⟩`);
}
