/**
 * The codes of evidence that fails. A code is a promise: callers branch on it, `docs/errors.md` explains it,
 * and a test keeps the two equal. Each room adds its own here, so that the list is one and closed.
 */
export const verificationCodes = [
  // bytes: text that is not what it claims to be.
  'malformed_base64',
  'malformed_base64url',
  'malformed_decimal',
  'malformed_hex',
  'malformed_json',
  'malformed_utf8',
  // merkle: proofs, tiles and bundles.
  'consistency_invalid',
  'inclusion_invalid',
  'malformed_entry_bundle',
  'malformed_tile_path',
  'tile_invalid',
  // store: static files of a log.
  'not_a_file',
  // note: keys, signed notes, checkpoints, policies.
  'cosignature_time_invalid',
  'key_ambiguous',
  'key_type_unknown',
  'malformed_checkpoint',
  'malformed_key',
  'malformed_note',
  'malformed_policy',
  'malformed_witness_request',
  'origin_mismatch',
  'policy_unsatisfied',
  'signature_invalid',
  'signature_unknown',
  // verify
  'disclosure_unmatched',
  'key_change_invalid',
  'key_retired',
  'key_revoked',
  'malformed_evidence',
  'malformed_proof',
  // event: entries and disclosures.
  'malformed_disclosure',
  'malformed_entry',
  'malformed_genesis',
  'malformed_key_change',
  // client: what a server shows that contradicts what it showed before, or what was sent.
  'disclosure_missing',
  'forked',
  'page_invalid',
  'receipt_invalid',
  'rolled_back',
  // anchor: time-stamps.
  'malformed_timestamp',
  'timestamp_algorithm_refused',
  'timestamp_certificate_expired',
  'timestamp_imprint_mismatch',
  'timestamp_nonce_mismatch',
  'timestamp_policy_mismatch',
  'timestamp_refused',
  'timestamp_signature_invalid',
  'timestamp_signer_invalid',
  'timestamp_time_invalid',
  'timestamp_untrusted',
] as const;

/** One of `verificationCodes`. */
export type VerificationCode = (typeof verificationCodes)[number];

/** The codes of misuse: the caller, not the evidence, is wrong. */
export const misuseCodes = [
  // bytes
  'text_ill_formed',
  'value_not_json',
  // merkle
  'entry_too_large',
  'hash_length_invalid',
  'hashes_mismatch',
  'index_out_of_range',
  'node_invalid',
  'range_invalid',
  'size_out_of_range',
  'tile_out_of_range',
  // note
  'checkpoint_line_invalid',
  'key_length_invalid',
  'key_name_invalid',
  'key_type_invalid',
  'name_length_invalid',
  'note_text_invalid',
  'seed_length_invalid',
  'signers_missing',
  // event
  'pseudonym_key_invalid',
  'query_invalid',
  'random_bytes_missing',
  'recorded_at_invalid',
  'source_seq_invalid',
  // context
  'context_unavailable',
  // capture: what a catalogue of events refuses.
  'action_unknown',
  'metadata_invalid',
  'target_missing',
  // log
  'argument_invalid',
  'cursor_invalid',
  'option_invalid',
  'option_unknown',
  'subject_not_erasable',
  // capture
  'write_unrecordable',
] as const;

/** One of `misuseCodes`. */
export type MisuseCode = (typeof misuseCodes)[number];

/** A `TypeError` or `RangeError` that carries the stable code of a misuse. */
export type MisuseError = (TypeError | RangeError) & { readonly code: MisuseCode };

/**
 * Evidence that does not hold: bytes that are malformed, a proof that does not fit, a signature that fails.
 * It says something about the data, never about the program that asked. Test `code`, which is stable; the
 * message is for people.
 */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly code: VerificationCode;
  /** What the message says, as data: positions, sizes, indexes. Frozen. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: VerificationCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = Object.freeze({ ...details });
  }
}

/**
 * Makes the error for a call that breaks a function's contract: a `TypeError` when the kind of an argument is
 * wrong, a `RangeError` when its value lies outside the documented limits. The caller throws what this
 * returns.
 */
export function misuse(kind: 'type' | 'range', code: MisuseCode, message: string): MisuseError {
  const error = kind === 'type' ? new TypeError(message) : new RangeError(message);
  ours.add(error);
  return Object.assign(error, { code });
}

const ours = new WeakSet<Error>();

/** Whether {@link misuse} made this error: a code alone says nothing, many an error of others has one. */
export function isMisuse(error: unknown): error is MisuseError {
  return error instanceof Error && ours.has(error);
}
