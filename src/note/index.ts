/**
 * Signed notes: how a log says something, and how anyone checks who said it.
 *
 * A note is a text, an empty line, and signature lines. A checkpoint is a note of three lines: the log's name
 * (its *origin*), how many entries it has, and the root of the tree over them. Whoever holds one can later
 * prove that the log was changed; that is all the machinery there is behind "changes are detected by anyone
 * who holds a receipt".
 *
 * ```text
 * log.example/audit
 * 70000
 * pipUvjMpT/1aXExjf9dUYwtxqJLoNW46Zmpcin/9FRg=
 *
 * — log.example/audit hmF9NuV8jQpwLq9UfZgrfAcvWN3AhD548fZn7zp7Rf9CWnzBjIwfkDXQMm2UN98e4o3HFqxvuTzI6YaSYI3kb9ozWwI=
 * ```
 *
 * A line names its key by name and key id. The id is a label, not a proof: what counts is the public key that
 * the verifier chose to trust beforehand, written as a *vkey*, `log.example/audit+86617d36+AQOhB7/z…`. Three
 * kinds of key are known: a log's Ed25519 key, a witness's Ed25519 cosignature key, and ML-DSA-44 for either.
 * A policy file says which logs and which quorum of witnesses a verifier asks for.
 *
 * Parsing is strict, and separate from trusting: `parseNote` and `parseCheckpoint` believe nobody,
 * `openNote`, `openCheckpoint` and `openWithPolicy` return only what verified signatures vouch for, and throw
 * otherwise. Unknown signature lines are skipped, in any order and number up to a hundred, because the
 * specification says so.
 *
 * Formats: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature, c2sp.org/tlog-policy.
 */

export {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseSignatureLines,
  WITNESS_HASHES_MAX,
} from './add-checkpoint.ts';
export { type Checkpoint, formatCheckpoint, parseCheckpoint } from './checkpoint.ts';
export {
  type CosignedSubtree,
  checkCosignedName,
  cosignatureV1Message,
  isCosignedName,
  subtreeMessage,
  verifySignature,
  verifySubtreeSignature,
} from './cosignature.ts';
export {
  type Cosigner,
  type CosignerKeyType,
  cosignerKeyFromSeed,
  parseCosignerKey,
} from './cosigner.ts';
export { isKeyName } from './key-name.ts';
export {
  formatNote,
  formatSignatureLine,
  NOTE_BYTES_MAX,
  NOTE_SIGNATURES_MAX,
  type Note,
  type NoteSignature,
  type OpenedNote,
  openNote,
  parseNote,
  parseSignatureLine,
  signNote,
  type VerifiedSignature,
  withSignatures,
} from './note.ts';
export { type CheckpointTrust, type OpenedCheckpoint, openCheckpoint } from './open-checkpoint.ts';
export {
  type Cosigned,
  cosignaturesFor,
  maySatisfyPolicy,
  openWithPolicy,
  POLICY_LENGTH_MAX,
  type Policy,
  type PolicyGroup,
  type PolicyLog,
  type PolicyWitness,
  parsePolicy,
  policyOfKey,
  satisfiesPolicy,
} from './policy.ts';
export type * as PortableSignatures from './signatures-portable.ts';
export type { Ed25519Signer, Mldsa44Signer } from './signatures-portable.ts';
export { parseSignerKey, SEED_BYTES, type Signer, signerKeyFromSeed } from './signer.ts';
export {
  createVerifierKey,
  formatKeyId,
  formatVerifierKey,
  type KeyType,
  keyTypes,
  parseVerifierKey,
  type VerifierKey,
  type VerifierKeyParts,
} from './verifier-key.ts';
