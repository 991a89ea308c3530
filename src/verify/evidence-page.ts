import { sha256, utf8Decode, utf8Encode, VerificationError } from '../bytes/index.ts';
import { EVIDENCE_BYTES_MAX } from './evidence-file.ts';

/** What stands before and behind the evidence in its page: a template, whose content no browser shows or runs. */
const OPEN = '<template id="indelible-evidence">';
const CLOSE = '</template>';

/** How large a page may be, in bytes: the evidence, its escapes, and the page around it. */
export const EVIDENCE_PAGE_BYTES_MAX = EVIDENCE_BYTES_MAX + 16 * 1024 * 1024;

/** An evidence page taken apart. */
export interface EvidencePage {
  /** The bytes of the evidence file within it. */
  readonly evidence: Uint8Array;
  /** SHA-256 of the page without the evidence, which tells which release made it. */
  readonly page: Uint8Array;
}

/** Whether a file looks like a page rather than like bare evidence. */
export function isEvidencePage(bytes: Uint8Array): boolean {
  return bytes[0] !== undefined && bytes[0] === '<'.charCodeAt(0);
}

/**
 * Takes the evidence out of its page. The text between the marks is escaped as HTML wants it, `&` and `<` alone, in one spelling.
 * Throws `malformed_evidence`.
 */
export function parseEvidencePage(bytes: Uint8Array): EvidencePage {
  if (bytes.length > EVIDENCE_PAGE_BYTES_MAX)
    throw malformed(`It has more than ${EVIDENCE_PAGE_BYTES_MAX} bytes.`);
  const text = textOf(bytes);
  const open = text.indexOf(OPEN);
  const begin = open + OPEN.length;
  const close = text.indexOf(CLOSE, begin);
  if (open < 0 || close < 0) throw malformed('It holds no evidence.');
  const page = sha256(utf8Encode(text.slice(0, begin) + text.slice(close)));
  return { evidence: utf8Encode(unescapeEvidence(text.slice(begin, close))), page };
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (cause) {
    throw new VerificationError(
      'malformed_evidence',
      'This is not an evidence page. It is no UTF-8.',
      {},
      { cause },
    );
  }
}

/** The text of evidence as it stands in a page; the inverse of {@link unescapeEvidence}. */
export function escapeEvidence(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** Reads what {@link escapeEvidence} wrote. Throws `malformed_evidence` for any other spelling. */
export function unescapeEvidence(text: string): string {
  if (text.includes('<') || /&(?!amp;|lt;)/.test(text))
    throw malformed('It is escaped in another way than ours.');
  return text.replaceAll('&lt;', '<').replaceAll('&amp;', '&');
}

/** A page without evidence, split where the evidence goes. Throws `malformed_evidence` where there is no such place. */
export function splitEvidencePage(page: string): { readonly before: string; readonly behind: string } {
  const open = page.indexOf(OPEN + CLOSE);
  if (open < 0) throw malformed('The page has no place for evidence.');
  const at = open + OPEN.length;
  return { before: page.slice(0, at), behind: page.slice(at) };
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_evidence', `This is not an evidence page. ${message}`);
}
