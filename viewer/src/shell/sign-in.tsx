/** Shown to whom the server does not know: there is no password here to type. */
export function SignIn({ message }: { message: string }) {
  return (
    <main className="sign-in">
      <h1>Indelible</h1>
      <p>{message}</p>
      <p className="muted">
        Open the one-time link that the server printed when it started, or ask for a new one where the server
        runs:
      </p>
      <code className="block">indelible link</code>
    </main>
  );
}
