/**
 * The ground floor: strict readers and writers of text and bytes, and SHA-256.
 *
 * A log proves that bytes did not change, so everything above depends on one rule that is kept here: **two
 * texts never mean one thing**. `decode(encode(x))` is `x`, and what a decoder accepts encodes to exactly
 * what it was given. The platform's own parsers break the rule in silence: `Buffer.from` forgives bad base64,
 * `JSON.parse` keeps the last of two equal names, `TextDecoder` drops a byte order mark, `BigInt("")` is
 * zero. Nothing above this room calls them.
 *
 * ```ts
 * base64Decode('AB==');            // throws: malformed_base64, since AA== is the one spelling of that byte
 * parseJson('{"a":1,"a":2}');      // throws: malformed_json, "The name "a" appears twice in one object"
 * canonicalize({ b: 1, a: [1e2] }); // '{"a":[100],"b":1}'
 * ```
 *
 * Everything is a pure, synchronous function: no Node, no DOM, no clock, no randomness. SHA-256 alone has two
 * bodies, noble's and Node's, exchanged by the import condition `#sha256`; the tests hold them equal.
 *
 * Base64, hexadecimal: RFC 4648. JSON: RFC 8259, and RFC 7493 (I-JSON). Canonical JSON: RFC 8785. UTF-8: RFC
 * 3629.
 */

export { sha256 } from '#sha256';
export {
  base64Decode,
  base64Encode,
  base64urlDecode,
  base64urlEncode,
  base64urlEncodeText,
} from './base64.ts';
export { compareBytes, concatBytes, equalBytes } from './byte-arrays.ts';
export { canonicalize, canonicalString } from './canonical.ts';
export { parseDecimal } from './decimal.ts';
export {
  isMisuse,
  type MisuseCode,
  type MisuseError,
  misuse,
  misuseCodes,
  type VerificationCode,
  VerificationError,
  verificationCodes,
} from './errors.ts';
export { hexDecode, hexEncode } from './hex.ts';
export {
  isJsonNumber,
  JSON_DEPTH_MAX,
  type JsonObject,
  type JsonValue,
  type ParseJsonOptions,
  parseCanonicalJson,
  parseJson,
} from './json.ts';
export { isLogError, LogError, type LogErrorCode, type LogErrorOptions, logErrorCodes } from './log-error.ts';
export { escapeText, safeJson } from './printable.ts';
export { sha256Text, utf8Decode, utf8Encode, utf8Length } from './text.ts';
