import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { EntryKeepingWire, RetentionChangeWire, RetentionRuleWire } from '../../../src/wire/index.ts';
import { visible } from '../drawer/visible.ts';
import { useViewer } from '../shell/context.tsx';
import { Failure, Section, When } from '../shell/parts.tsx';

/** How long sealed values are kept, and changes of it that were asked for. */
export function RetentionSection() {
  const { api, proof } = useViewer();
  const asked = useQuery({
    queryKey: ['retention', proof.log],
    queryFn: ({ signal }) => api.retention(proof.log, signal),
    refetchInterval: 30_000,
  });
  const { rules = [], entries, changes = [], appliedAt, pending } = asked.data ?? {};
  return (
    <Section
      title="Retention"
      note="When its period is over, an event loses its sealed values. The first rule that matches an action counts. Entries stay, unless the policy prunes them; every proof of what is left stays."
    >
      {asked.error !== null && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {asked.isSuccess && <Rules rules={rules} entries={entries} />}
      {pending !== undefined && (
        <div>
          From <When time={pending.notBefore} /> on: <Rules rules={pending.rules} entries={pending.entries} />
        </div>
      )}
      {appliedAt !== undefined && (
        <p className="muted small">
          Applied by this server <When time={appliedAt} />
        </p>
      )}
      {changes.length > 0 && (
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Change</th>
              <th scope="col">State</th>
              <th scope="col">
                <span className="visually-hidden">Approve or cancel</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {changes.map((one) => (
              <ChangeRow key={one.id} change={one} />
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

const keepings: Readonly<Record<EntryKeepingWire, string>> = {
  keep: '',
  archived: ' Entries are pruned when an archive holds them.',
  delete: ' Entries are pruned.',
};

/** What is said of rules, and of entries where they are not kept. */
function Rules({
  rules,
  entries = 'keep',
}: {
  rules: readonly RetentionRuleWire[];
  entries?: EntryKeepingWire | undefined;
}) {
  if (rules.length === 0) return <p className="muted">Everything is kept.{keepings[entries]}</p>;
  return (
    <>
      <code>{rules.map(({ match, keep }) => `${visible(match)}=${visible(keep)}`).join(' ')}</code>
      {keepings[entries]}
    </>
  );
}

function ChangeRow({ change }: { change: RetentionChangeWire }) {
  const { api, proof, session } = useViewer();
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ['retention', proof.log] });
  const approve = useMutation({ mutationFn: () => api.approveRetention(proof.log, change.id), onSettled });
  const cancel = useMutation({ mutationFn: () => api.cancelRetention(proof.log, change.id), onSettled });
  const { rules, entries, state, requestId, basis, dueAt, why } = change;
  const isOver = state === 'done' || state === 'cancelled';
  const mayApprove = state === 'pending' && session.scopes.includes('approve');
  const mayCancel = !isOver && (session.scopes.includes('approve') || session.scopes.includes('privacy'));
  const failure = approve.error ?? cancel.error;
  return (
    <tr className={isOver ? 'gone' : ''}>
      <td data-label="Change">
        <Rules rules={rules} entries={entries} />
        <span className="second-line">
          {visible(requestId)} · {visible(basis)}
        </span>
      </td>
      <td data-label="State">
        {state}
        {dueAt !== undefined && !isOver && (
          <span className="second-line">
            not before <When time={dueAt} />
          </span>
        )}
        {why !== undefined && <span className="second-line">{visible(why)}</span>}
      </td>
      <td>
        <div className="actions">
          {mayApprove && (
            <button
              type="button"
              className="danger"
              disabled={approve.isPending}
              onClick={() => approve.mutate()}
            >
              Approve
            </button>
          )}
          {mayCancel && (
            <button
              type="button"
              className="quiet"
              disabled={cancel.isPending}
              onClick={() => cancel.mutate()}
            >
              Cancel
            </button>
          )}
        </div>
        {failure !== null && <Failure error={failure} />}
      </td>
    </tr>
  );
}
