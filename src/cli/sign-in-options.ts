import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClaimRule, OidcOptions, SignInGrant } from '../http/index.ts';
import type { Scope } from '../wire/index.ts';
import { UsageError } from './exit.ts';
import { given } from './options.ts';

/** The client secret, where no file holds it. It is never taken from the command line, which others can see. */
export const CLIENT_SECRET_VARIABLE = 'INDELIBLE_OIDC_CLIENT_SECRET';

/** What `serve` is told of an OpenID provider. */
export interface SignInFlags {
  readonly oidcIssuer?: string;
  readonly oidcClientId?: string;
  readonly oidcClientSecretFile?: string;
  readonly oidcGrant?: readonly SignInGrant[];
  readonly oidcRequire?: readonly ClaimRule[];
  readonly oidcNameClaim?: string;
  readonly oidcScope?: string;
}

/** What `serve --help` says of them. */
export const signInHelp = `
Sign in to the viewer by an OpenID provider, which sends people back to PUBLIC-URL/sign-in/callback:
  indelible serve --data data/server --public-url https://audit.example.com --behind-proxy \\
    --oidc-issuer https://id.example.com --oidc-client-id audit --oidc-client-secret-file /run/secrets/oidc \\
    --oidc-require email_verified=true \\
    --oidc-grant groups=auditors:read,audit --oidc-grant groups=acme-support:read@acme

  The client secret may also stand in the environment variable ${CLIENT_SECRET_VARIABLE}.
  Whom no --oidc-grant fits is not let in; of those that fit, the first counts.
`;

/** Adds the flags to a command. */
export function addSignInOptions(command: Command): Command {
  return command
    .option('--oidc-issuer <url>', 'OpenID provider by which people sign in to the viewer')
    .option('--oidc-client-id <id>', 'what the provider calls this server')
    .option('--oidc-client-secret-file <file>', 'file that holds the client secret; without one, PKCE alone')
    .addOption(
      repeated(
        '--oidc-grant <claim=value:scopes[@log]>',
        'whom to let in, and how far; may be repeated',
        parseGrant,
      ),
    )
    .addOption(
      repeated(
        '--oidc-require <claim=value>',
        'what everybody must fulfil besides; may be repeated',
        parseRule,
      ),
    )
    .option('--oidc-name-claim <claim>', 'the claim that names the person')
    .option('--oidc-scope <scope>', 'what to ask of the provider (default: openid profile email)');
}

/** What the flags say; undefined where there is no issuer. Throws `UsageError` where they do not make a whole. */
export function oidcOf(flags: SignInFlags): OidcOptions | undefined {
  const { oidcIssuer: issuer, oidcClientId: clientId } = flags;
  if (issuer === undefined) {
    const lost = Object.keys(flags).find((name) => name.startsWith('oidc'));
    if (lost !== undefined) throw new UsageError('flags of --oidc are of use with --oidc-issuer alone');
    return undefined;
  }
  if (clientId === undefined) throw new UsageError('--oidc-issuer needs --oidc-client-id');
  return {
    issuer,
    clientId,
    grants: flags.oidcGrant ?? [],
    ...given({
      clientSecret: secretOf(flags.oidcClientSecretFile),
      requires: flags.oidcRequire,
      nameClaim: flags.oidcNameClaim,
      scope: flags.oidcScope,
    }),
  };
}

function secretOf(file: string | undefined): string | undefined {
  const inVariable = process.env[CLIENT_SECRET_VARIABLE];
  if (file === undefined) return inVariable === '' ? undefined : inVariable;
  if (inVariable !== undefined) {
    throw new UsageError(
      `the client secret is in --oidc-client-secret-file and in ${CLIENT_SECRET_VARIABLE}`,
    );
  }
  const secret = readFileSync(file, 'utf8').trim();
  if (secret === '') throw new UsageError(`${file} holds no client secret`);
  return secret;
}

function repeated<T>(flags: string, what: string, parse: (text: string) => T): Option {
  return new Option(flags, what).argParser((text: string, before: T[] | undefined) => [
    ...(before ?? []),
    parse(text),
  ]);
}

/** `claim=value`; a claim may be a URL, so the last `=` divides. */
function parseRule(text: string): ClaimRule {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('It reads claim=value.');
  return { claim: text.slice(0, at), values: [text.slice(at + 1)] };
}

/** `claim=value:scopes[@log]`; a value may hold colons, so the last one divides. */
function parseGrant(text: string): SignInGrant {
  const at = text.lastIndexOf(':');
  const [scopes = '', log, ...more] = text.slice(at + 1).split('@');
  if (at < 0 || scopes === '' || log === '' || more.length > 0) {
    throw new InvalidArgumentError('It reads claim=value:scopes or claim=value:scopes@log.');
  }
  return {
    ...parseRule(text.slice(0, at)),
    // Which scopes there are, the server checks.
    scopes: scopes.split(',') as Scope[],
    ...(log === undefined ? {} : { log }),
  };
}
