import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import type { ErasureAsked, ErasureWire, HoldAsked, HoldWire } from '../../../src/wire/index.ts';
import { visible } from '../drawer/visible.ts';
import { useViewer } from '../shell/context.tsx';
import { Failure, Section, When } from '../shell/parts.tsx';
import { RetentionSection } from './retention-section.tsx';

/** Erasures that were asked for, and the holds that stand in their way. */
export function PrivacyScreen() {
  const { proof } = useViewer();
  return (
    <div className="scroller">
      <main className="page">
        <h1>Privacy of {proof.log}</h1>
        <Erasures />
        <RetentionSection />
        <Holds />
      </main>
    </div>
  );
}

/** What is asked of the server, and the lists that are out of date afterwards. */
function useDoing<Given>(work: (given: Given) => Promise<unknown>) {
  const client = useQueryClient();
  const { proof } = useViewer();
  return useMutation({
    mutationFn: work,
    onSettled: () =>
      Promise.all(['asked', 'holds'].map((key) => client.invalidateQueries({ queryKey: [key, proof.log] }))),
  });
}

function Erasures() {
  const { api, proof, session } = useViewer();
  const asked = useQuery({
    queryKey: ['asked', proof.log],
    queryFn: ({ signal }) => api.erasures(proof.log, signal),
    refetchInterval: 30_000,
  });
  const list = asked.data?.erasures ?? [];
  return (
    <Section
      title="Erasures"
      note="One person asks, another approves, and then a delay runs. Ids, actions and times are never erased, and every proof stays."
    >
      {session.scopes.includes('privacy') && <NewErasure />}
      {asked.error !== null && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {asked.isSuccess && list.length === 0 && <p className="muted">None was asked for.</p>}
      {list.length > 0 && (
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Subject</th>
              <th scope="col">State</th>
              <th scope="col">Asked for</th>
              <th scope="col">
                <span className="visually-hidden">Approve or cancel</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((one) => (
              <ErasureRow key={one.id} erasure={one} />
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function ErasureRow({ erasure }: { erasure: ErasureWire }) {
  const { api, proof, session } = useViewer();
  const approve = useDoing(() => api.approveErasure(proof.log, erasure.id));
  const cancel = useDoing(() => api.cancelErasure(proof.log, erasure.id));
  const { subject, state, requestId, basis, requestedAt, dueAt, why, values } = erasure;
  const isOver = state === 'done' || state === 'cancelled';
  const mayApprove = state === 'pending' && session.scopes.includes('approve');
  const mayCancel = !isOver && (session.scopes.includes('approve') || session.scopes.includes('privacy'));
  return (
    <tr className={isOver ? 'gone' : ''}>
      <td data-label="Subject">
        <code>{visible(subject)}</code>
        <span className="second-line">
          {visible(requestId)} · {visible(basis)}
        </span>
      </td>
      <td data-label="State">
        {state}
        {values !== undefined && `, ${values} values`}
        {dueAt !== undefined && !isOver && (
          <span className="second-line">
            not before <When time={dueAt} />
          </span>
        )}
        {why !== undefined && <span className="second-line">{visible(why)}</span>}
      </td>
      <td data-label="Asked for">
        <When time={requestedAt} />
      </td>
      <td>
        <div className="actions">
          {mayApprove && (
            <button
              type="button"
              className="danger"
              disabled={approve.isPending}
              onClick={() => approve.mutate(undefined)}
            >
              Approve
            </button>
          )}
          {mayCancel && (
            <button
              type="button"
              className="quiet"
              disabled={cancel.isPending}
              onClick={() => cancel.mutate(undefined)}
            >
              Cancel
            </button>
          )}
        </div>
        {approve.error !== null && <Failure error={approve.error} />}
        {cancel.error !== null && <Failure error={cancel.error} />}
      </td>
    </tr>
  );
}

function NewErasure() {
  const { api, proof } = useViewer();
  const ask = useDoing((asked: ErasureAsked) => api.requestErasure(proof.log, asked));
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = textsOf(event.currentTarget);
    ask.mutate({ subject: text('subject'), basis: text('basis'), requestId: text('requestId') });
  };
  return (
    <form className="inline" onSubmit={submit}>
      <Field name="subject" label="Subject" placeholder="user/u_42" isRequired />
      <Field name="basis" label="Ground" placeholder="gdpr-17" isRequired />
      <Field name="requestId" label="Request" placeholder="R-17" isRequired />
      <button type="submit" className="primary" disabled={ask.isPending}>
        Ask for erasure
      </button>
      {ask.error !== null && <Failure error={ask.error} />}
      {ask.isSuccess && <p role="status">Asked for. Another person approves it.</p>}
    </form>
  );
}

function Holds() {
  const { api, proof, session } = useViewer();
  const isAdmin = session.scopes.includes('admin');
  const holds = useQuery({
    queryKey: ['holds', proof.log],
    queryFn: ({ signal }) => api.holds(proof.log, signal),
  });
  const list = holds.data?.holds ?? [];
  return (
    <Section title="Legal holds" note="What a hold covers is not erased until it is released.">
      {isAdmin && <NewHold />}
      {holds.error !== null && <Failure error={holds.error} retry={() => void holds.refetch()} />}
      {holds.isSuccess && list.length === 0 && <p className="muted">No hold is in force.</p>}
      {list.length > 0 && (
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Covers</th>
              <th scope="col">Placed</th>
              <th scope="col">
                <span className="visually-hidden">Release</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((hold) => (
              <HoldRow key={hold.name} hold={hold} isAdmin={isAdmin} />
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function HoldRow({ hold, isAdmin }: { hold: HoldWire; isAdmin: boolean }) {
  const { api, proof } = useViewer();
  const release = useDoing(() => api.releaseHold(proof.log, hold.name));
  const { name, index: _, at, ...cover } = hold;
  const words = Object.entries(cover).map(([field, value]) => `${field} ${value}`);
  return (
    <tr>
      <td data-label="Name">{name}</td>
      <td data-label="Covers">{visible(words.join(', '))}</td>
      <td data-label="Placed">
        <When time={at} />
      </td>
      <td>
        {isAdmin && (
          <button
            type="button"
            className="quiet"
            disabled={release.isPending}
            onClick={() => release.mutate(undefined)}
          >
            Release {name}
          </button>
        )}
        {release.error !== null && <Failure error={release.error} />}
      </td>
    </tr>
  );
}

function NewHold() {
  const { api, proof } = useViewer();
  const place = useDoing((asked: HoldAsked) => api.placeHold(proof.log, asked));
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = textsOf(event.currentTarget);
    const cover = ['subject', 'target', 'query'].filter((field) => text(field) !== '');
    place.mutate({ name: text('name'), ...Object.fromEntries(cover.map((field) => [field, text(field)])) });
  };
  return (
    <form className="inline" onSubmit={submit}>
      <Field name="name" label="Name" placeholder="case-17" isRequired />
      <Field name="subject" label="Subject" placeholder="user/u_42" />
      <Field name="target" label="Target" placeholder="invoice/inv_7" />
      <Field name="query" label="Query" placeholder="action:invoice.*" />
      <button type="submit" className="primary" disabled={place.isPending}>
        Place hold
      </button>
      {place.error !== null && <Failure error={place.error} />}
      {place.isSuccess && <p role="status">Placed.</p>}
    </form>
  );
}

function Field(props: { name: string; label: string; placeholder: string; isRequired?: boolean }) {
  const { name, label, placeholder, isRequired = false } = props;
  return (
    <label>
      {label}
      <input
        type="text"
        name={name}
        placeholder={placeholder}
        required={isRequired}
        autoComplete="off"
        spellCheck={false}
      />
    </label>
  );
}

function textsOf(form: HTMLFormElement): (name: string) => string {
  const data = new FormData(form);
  return (name) => `${data.get(name) ?? ''}`.trim();
}
