import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useViewer } from '../shell/context.tsx';
import { formatNumber } from '../shell/format.ts';
import { CopyButton, Failure, Section } from '../shell/parts.tsx';
import { useRoute } from '../shell/route.ts';

/** The logs of this server. */
export function LogsScreen() {
  const { api } = useViewer();
  const { go } = useRoute();
  const client = useQueryClient();
  const logs = useQuery({ queryKey: ['logs'], queryFn: ({ signal }) => api.logs(signal) });
  const change = useMutation({
    mutationFn: ({ name, isPublic }: { name: string; isPublic: boolean }) =>
      api.changeLog(name, { isPublic }),
    onSettled: () => client.invalidateQueries({ queryKey: ['logs'] }),
  });
  return (
    <div className="scroller">
      <main className="page">
        <h1>Logs</h1>
        {logs.error !== null && <Failure error={logs.error} retry={() => void logs.refetch()} />}
        {change.error !== null && <Failure error={change.error} />}
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Entries</th>
              <th scope="col">Key</th>
              <th scope="col">Public</th>
            </tr>
          </thead>
          <tbody>
            {logs.data?.logs.map((log) => (
              <tr key={log.name}>
                <td data-label="Name">
                  <button
                    type="button"
                    className="link"
                    onClick={() => go({ screen: 'events', log: log.name })}
                  >
                    {log.name}
                  </button>
                  <span className="second-line mono">{log.origin}</span>
                </td>
                <td data-label="Entries">{formatNumber(log.size)}</td>
                <td data-label="Key" className="key">
                  <code className="hash">{log.vkey}</code>
                  <CopyButton text={log.vkey} label={`the key of ${log.name}`} />
                </td>
                <td data-label="Public">
                  <label className="switch">
                    <input
                      type="checkbox"
                      checked={log.isPublic}
                      disabled={change.isPending}
                      onChange={(event) => change.mutate({ name: log.name, isPublic: event.target.checked })}
                    />
                    <span className="visually-hidden">Checkpoints of {log.name} are public</span>
                  </label>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <Unreadable names={logs.data?.unreadable ?? []} />
        <p className="muted small">
          Public: anybody may fetch checkpoint and hash tiles, and check consistency. Entries never are
          public.
        </p>
        <NewLog />
      </main>
    </div>
  );
}

function Unreadable({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <p className="alarm" role="alert">
      <strong>The server cannot read {names.join(', ')}.</strong> Choose it above to see what this page finds.
    </p>
  );
}

function NewLog() {
  const { api } = useViewer();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => api.createLog({ name }),
    onSuccess: async () => {
      setName('');
      await client.invalidateQueries({ queryKey: ['logs'] });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Section title="New log" note="One for each tenant. Its name is for ever, and so is the log.">
      <form className="inline" onSubmit={submit}>
        <label>
          Name
          <input
            type="text"
            value={name}
            required
            pattern="[a-z0-9][a-z0-9\-]{0,62}"
            title="Lower-case letters, digits and hyphens"
            onChange={(event) => setName(event.target.value)}
            spellCheck={false}
            autoComplete="off"
          />
        </label>
        <button type="submit" className="primary" disabled={create.isPending}>
          Create
        </button>
      </form>
      {create.error !== null && <Failure error={create.error} />}
      {create.isSuccess && <p role="status">Created.</p>}
    </Section>
  );
}
