import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { type ApiKey, type ApiKeyRequest, type Scope, scopes } from '../../../src/wire/index.ts';
import { useViewer } from '../shell/context.tsx';
import { Copyable, Failure, Section, When } from '../shell/parts.tsx';

const meanings: Readonly<Record<Scope, string>> = {
  write: 'record events',
  read: 'read and search',
  audit: 'verify and export',
  admin: 'keys and logs',
  privacy: 'ask for erasure',
  approve: 'approve erasure',
};

/** API keys: who may write and read. A key is shown once, when it is created, and never again. */
export function KeysScreen() {
  const { api } = useViewer();
  const keys = useQuery({ queryKey: ['keys'], queryFn: ({ signal }) => api.keys(signal) });
  const sorted = keys.data?.keys.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1)) ?? [];
  return (
    <div className="scroller">
      <main className="page">
        <h1>API keys</h1>
        <NewKey />
        <Section title="Keys">
          {keys.error !== null && <Failure error={keys.error} retry={() => void keys.refetch()} />}
          {keys.isSuccess && sorted.length === 0 && <p className="muted">There are no keys.</p>}
          {sorted.length > 0 && (
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">May</th>
                  <th scope="col">Log</th>
                  <th scope="col">Last used</th>
                  <th scope="col">
                    <span className="visually-hidden">Revoke</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {sorted.map((key) => (
                  <KeyRow key={key.id} apiKey={key} />
                ))}
              </tbody>
            </table>
          )}
        </Section>
      </main>
    </div>
  );
}

function KeyRow({ apiKey: key }: { apiKey: ApiKey }) {
  const { api } = useViewer();
  const client = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const revoke = useMutation({
    mutationFn: () => api.revokeKey(key.id),
    onSettled: () => client.invalidateQueries({ queryKey: ['keys'] }),
  });
  return (
    <tr className={key.revokedAt === undefined ? '' : 'gone'}>
      <td data-label="Name">
        {key.name}
        <span className="second-line mono">ind_{key.id}_…</span>
      </td>
      <td data-label="May">{key.scopes.join(', ')}</td>
      <td data-label="Log">{key.log ?? 'all'}</td>
      <td data-label="Last used">
        {key.lastUsedAt === undefined ? 'never' : <When time={key.lastUsedAt} />}
      </td>
      <td>
        <div className="actions">
          {key.revokedAt !== undefined ? (
            <span className="muted">
              revoked <When time={key.revokedAt} />
            </span>
          ) : isAsking ? (
            <>
              <button
                type="button"
                className="danger"
                disabled={revoke.isPending}
                onClick={() => revoke.mutate()}
              >
                Revoke {key.name} for ever
              </button>
              <button type="button" onClick={() => setAsking(false)}>
                Keep
              </button>
            </>
          ) : (
            <button type="button" className="quiet" onClick={() => setAsking(true)}>
              Revoke…
            </button>
          )}
          {revoke.error !== null && <Failure error={revoke.error} />}
        </div>
      </td>
    </tr>
  );
}

function NewKey() {
  const { api } = useViewer();
  const client = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<Scope>>(new Set(['write']));
  const create = useMutation({
    mutationFn: (request: ApiKeyRequest) => api.createKey(request),
    onSuccess: () => client.invalidateQueries({ queryKey: ['keys'] }),
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => `${form.get(name) ?? ''}`.trim();
    const days = Number(text('days'));
    create.mutate({
      name: text('name'),
      scopes: scopes.filter((scope) => chosen.has(scope)),
      ...(text('log') !== '' && { log: text('log') }),
      ...(days > 0 && { expiresAt: new Date(Date.now() + days * 86_400_000).toISOString() }),
    });
  };
  const toggle = (scope: Scope): void => {
    setChosen((known) => new Set(scopes.filter((other) => known.has(other) !== (other === scope))));
  };
  return (
    <Section title="New key">
      <form className="new-key" onSubmit={submit}>
        <label>
          Name
          <input
            type="text"
            name="name"
            required
            maxLength={100}
            autoComplete="off"
            placeholder="billing service"
          />
        </label>
        <label>
          Log
          <input type="text" name="log" autoComplete="off" spellCheck={false} placeholder="all" />
        </label>
        <label>
          Expires in days
          <input type="number" name="days" min={1} max={3650} placeholder="never" />
        </label>
        <fieldset>
          <legend>May</legend>
          {scopes.map((scope) => (
            <label key={scope}>
              <input type="checkbox" checked={chosen.has(scope)} onChange={() => toggle(scope)} />
              <code>{scope}</code> <span className="muted">{meanings[scope]}</span>
            </label>
          ))}
        </fieldset>
        <button type="submit" className="primary" disabled={create.isPending || chosen.size === 0}>
          Create key
        </button>
      </form>
      {create.error !== null && <Failure error={create.error} />}
      {create.data && (
        <div className="notice" role="status">
          <p>
            <strong>Copy the key now.</strong> It is not kept here, and cannot be shown again.
          </p>
          <Copyable text={create.data.key} label="the key" />
        </div>
      )}
    </Section>
  );
}
