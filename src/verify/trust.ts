import { type Policy, parseVerifierKey, policyOfKey } from '../note/index.ts';

/**
 * Whom a verifier believes: a policy, or one log's key as text, which stands for the policy "this log, no
 * witnesses". It is configured beforehand and comes from somewhere else than the evidence: a key that travels
 * with a proof proves nothing.
 */
export type Trust = Policy | { readonly vkey: string };

/** The policy that `trust` means. Throws `malformed_key` for a text that is no key. */
export function policyOf(trust: Trust): Policy {
  return 'vkey' in trust ? policyOfKey(parseVerifierKey(trust.vkey)) : trust;
}
