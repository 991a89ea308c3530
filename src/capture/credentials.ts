/*
 * What looks like a credential. Two readings of a name: a field of a request is left out where any part of its name hints at one,
 * since an allow-list names what is wanted; a column or a setting is hidden where its name says that it holds one, since
 * `passwordMinLength` and `sessionMinutes` are what a change of a policy is about.
 */

/** Compared without case and punctuation, anywhere in a name. */
const hints =
  /passw|passphrase|passcode|passkey|^pass$|^pwd|pwd$|secret|token|authorization|authentication|^auth$|cookie|apikey|accesskey|privatekey|signingkey|encryptionkey|masterkey|credential|session|^otp|otp$|^totp|(?:mfa|otp|sms|auth|verification|confirmation|recovery|reset|backup|factor|login)codes?$|^pin$|pincode|cvv|cvc|csrf|xsrf|cardnumber|^pan$|^jwt|bearer|signature|^sig$|^code$|verifier|magiclink|mnemonic|seedphrase/;

/** Compared without case and punctuation, at the end of a name. */
const holds =
  /(?:password|passwd|passphrase|passcode|pwd|otp|secret|token)(?:hash|digest|salt|hashed|encrypted)?$|secretkeys?$|secrets$|(?:api|access|private|signing|encryption|master)keys?(?:hash|digest|encrypted)?$|credentials?$|(?:mfa|otp|totp|sms|verification|recovery|backup)codes?$|cvv$|cvc$|^pin$|pincode$|pinhash$|(?:user|card)pin$|cardnumber$|^pan$|jwt$|cookie$|^authorization$|(?:totp|otp|mfa)seed$|mnemonic$|seedphrase$/;

/** Values that open doors whatever their name: schemes of the Authorization header, JSON Web Tokens, private keys, well-known keys. */
const openers: readonly RegExp[] = [
  /^\s*(?:bearer|basic|digest|negotiate)\s/i,
  // Bounded, as each of these is: the text is a stranger's, and each place in it is tried.
  /eyJ[\w-]{8,512}\./,
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY|PRIVATE\+KEY\+/,
  /\b(?:ind|sk|rk|pk|whsec|ghp|gho|ghs|ghu|ghr|github_pat|npm)_[A-Za-z0-9]|\b(?:xox[abeprs]|glpat)-[A-Za-z0-9]|\bsk-(?:[a-z]{2,8}-)?[A-Za-z0-9]{8}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}/i,
  // The user and password of an URL, and what stands in its query.
  /\/\/[^\s/@:]{0,256}:[^\s/@]{1,256}@/,
  // A query, a document of GraphQL or JSON within a text: a name, and its value.
  /(?:passw\w{0,16}|passphrase|secret|token|api_?key|[?&](?:code|sig|signature|key))["'\\]{0,4}\s{0,4}[:=]\s{0,4}["'\\]{0,4}[^\s"'\\]/i,
];

/** Whether a field of this name is never recorded out of a request. */
export function isSecretName(name: string): boolean {
  return hints.test(plain(name));
}

/** Whether a column or setting of this name holds a credential. */
export function holdsCredential(name: string): boolean {
  return holds.test(plain(name));
}

/** Characters that are looked at: what is further in is never recorded either. */
export const LOOKED_AT_CHARACTERS_MAX = 4096;

/** Whether a text gives itself away as a credential, or has one in it, as far as {@link LOOKED_AT_CHARACTERS_MAX}. */
export function isSecretText(text: string): boolean {
  const near = text.slice(0, LOOKED_AT_CHARACTERS_MAX);
  return openers.some((opener) => opener.test(near));
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}
