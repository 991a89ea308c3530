import { Copyable } from './parts.tsx';

/** Shown to whom the server does not know: there is no password here to type. */
export function SignIn({ message, root }: { message: string; root: string }) {
  return (
    <main className="sign-in">
      <h1>Indelible</h1>
      <p>{message}</p>
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
