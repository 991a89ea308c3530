import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { parseQuery } from '../../../src/event/index.ts';
import type { EventWire } from '../../../src/wire/index.ts';
import { useProofState, useViewer } from '../shell/context.tsx';
import type { ShownEvent } from '../shell/log-proof.ts';

const PAGE_EVENTS = 100;

/** What is left out unless somebody asks for it: looking at the log, and signs of life. Always said on the page. */
export const housekeeping = ['log.viewed', 'log.exported', 'source.heartbeat'] as const;

/** The question as it is sent: the typed query, without housekeeping where that is hidden. */
export function questionOf(q: string, withHousekeeping: boolean): string {
  if (withHousekeeping) return q;
  const hidden = `-action:${housekeeping.join(',')}`;
  return q.trim() === '' ? hidden : `${needsParentheses(q) ? `(${q})` : q} ${hidden}`;
}

/** OR binds closer than its neighbours, but a query that is one OR alone reads the same beside another term. */
function needsParentheses(q: string): boolean {
  return q.includes(' OR ');
}

/** Whether a text is a query; where it is not, the list stays as it was. */
export function queryErrorOf(q: string): (Error & { hint?: string }) | undefined {
  try {
    parseQuery(q);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** The events that fit a question, newest first, opened and checked by this page. */
export function useEvents(question: string) {
  const { api, proof } = useViewer();
  const state = useProofState();
  const query = useInfiniteQuery({
    queryKey: ['events', proof.log, question],
    queryFn: ({ pageParam, signal }) =>
      api.events(
        proof.log,
        { q: question, limit: PAGE_EVENTS, ...(pageParam !== '' && { cursor: pageParam }) },
        signal,
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    enabled: queryErrorOf(question) === undefined,
  });
  const { data } = query;
  const events = useMemo(
    () => data?.pages.flatMap((page) => page.events.map((event) => proof.shown(event))) ?? [],
    [data, proof, state],
  );
  useEffect(() => {
    void proof.check(events);
  }, [events, proof]);
  return { ...query, events, newest: data?.pages[0] };
}

/** Counts over the same question. */
export function useStats(question: string) {
  const { api, proof, session } = useViewer();
  return useQuery({
    queryKey: ['stats', proof.log, question],
    queryFn: ({ signal }) => api.stats(proof.log, question, signal),
    placeholderData: keepPreviousData,
    // Counts would say something about events that a viewer token's filter leaves out.
    enabled: session.kind !== 'viewer-token' && queryErrorOf(question) === undefined,
  });
}

/** Events kept of a live tail; older ones are in the list once it is loaded anew. */
const LIVE_EVENTS_MAX = 500;
const RECONNECT_MS = 2_000;

export type LiveState = 'off' | 'connecting' | 'live' | 'waiting';

/** Events as they are recorded, newest first; goes on from the last one after the connection was lost. */
export function useLive(question: string, isLive: boolean) {
  const { api, proof } = useViewer();
  const check = useProofState();
  const [wires, setWires] = useState<readonly EventWire[]>([]);
  const [state, setState] = useState<LiveState>('off');
  const lastId = useRef<string | undefined>(undefined);
  useEffect(() => {
    setWires([]);
    lastId.current = undefined;
    if (!isLive) {
      setState('off');
      return;
    }
    const abort = new AbortController();
    const follow = async (): Promise<void> => {
      while (!abort.signal.aborted) {
        setState('connecting');
        try {
          const events = api.stream(proof.log, {
            q: question,
            lastId: lastId.current,
            signal: abort.signal,
            onOpen: () => setState('live'),
          });
          for await (const { id, event } of events) {
            lastId.current = id;
            setWires((known) => [event, ...known].slice(0, LIVE_EVENTS_MAX));
          }
        } catch {
          // Whatever ended it, the next attempt says whether it goes on.
        }
        if (abort.signal.aborted) return;
        setState('waiting');
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    };
    void follow();
    return () => abort.abort();
  }, [api, proof, question, isLive]);
  const events: readonly ShownEvent[] = useMemo(
    () => wires.map((event) => proof.shown(event)),
    [wires, proof, check],
  );
  useEffect(() => {
    void proof.check(events);
  }, [events, proof]);
  return { events, state };
}
