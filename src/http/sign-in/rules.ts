import type { Admission } from '../sessions.ts';
import type { ClaimRule, OidcOptions } from './options.ts';

/** What a provider says of a person, out of an ID token that was checked. */
export type Claims = Readonly<Record<string, unknown>>;

const NAME_CHARS_MAX = 128;
const nameClaims = ['name', 'preferred_username', 'email'];

/** How far this person is let in; undefined: not at all. */
export function admissionFor(claims: Claims, options: OidcOptions): Omit<Admission, 'issuer'> | undefined {
  if (!(options.requires ?? []).every((rule) => fits(claims, rule))) return undefined;
  const grant = options.grants.find((candidate) => fits(claims, candidate));
  if (grant === undefined) return undefined;
  const { scopes, log } = grant;
  return { name: nameOf(claims, options.nameClaim), scopes, ...(log === undefined ? {} : { log }) };
}

function fits(claims: Claims, { claim, values }: ClaimRule): boolean {
  return valuesOf(claims, claim).some((value) => values.includes(value));
}

/** The values of a claim as texts, to be compared whole: no pattern, no part, no other case. */
function valuesOf(claims: Claims, claim: string): readonly string[] {
  const value = claim.startsWith('/') ? follow(claims, claim) : own(claims, claim);
  return (Array.isArray(value) ? value : [value])
    .filter((one) => ['string', 'number', 'boolean'].includes(typeof one))
    .map(String);
}

function follow(claims: Claims, pointer: string): unknown {
  const steps = pointer.split('/').slice(1);
  return steps.reduce<unknown>(
    (value, step) => own(value, step.replaceAll('~1', '/').replaceAll('~0', '~')),
    claims,
  );
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Claims)[name] : undefined;
}

function nameOf(claims: Claims, nameClaim: string | undefined): string {
  const wanted = nameClaim === undefined ? nameClaims : [nameClaim];
  const found = wanted.flatMap((claim) => valuesOf(claims, claim)).find((value) => value.trim() !== '');
  return (found ?? String(claims['sub'])).toWellFormed().slice(0, NAME_CHARS_MAX).toWellFormed();
}
