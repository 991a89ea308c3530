import { useQuery } from '@tanstack/react-query';
import type { SignInWays } from '../../../src/wire/index.ts';
import type { Api } from '../api/api.ts';
import { keepPlace } from './come-back.ts';
import { Mark } from './mark.tsx';
import { Copyable } from './parts.tsx';

/** Shown to whom the server does not know: there is no password here to type. */
export function SignIn({ message, api }: { message: string; api: Api }) {
  const { root } = api;
  const ways = useQuery({ queryKey: ['sign-in', root], queryFn: ({ signal }) => api.signInWays(signal) });
  return (
    <main className="sign-in">
      <h1 className="brand">
        <Mark />
        Indelible
      </h1>
      <p>{message}</p>
      <Provider provider={ways.data?.provider} />
      <p className="muted">
        Open the one-time link that the server printed when it started, or ask for a new one with an API key:
      </p>
      <Copyable
        label="the command"
        text={`curl -X POST -H "authorization: Bearer $INDELIBLE_KEY" ${root}v1/links`}
      />
    </main>
  );
}

/** Leaves for the provider, which sends the person back to where they are now. */
function Provider({ provider }: { provider: SignInWays['provider'] }) {
  if (provider === undefined) return null;
  const { pathname, search } = window.location;
  return (
    <a
      className="button primary"
      href={`${provider.path}?next=${encodeURIComponent(pathname + search)}`}
      onClick={keepPlace}
    >
      Sign in with {provider.name}
    </a>
  );
}
