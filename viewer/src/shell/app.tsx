import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import type { LogList, ViewerSession } from '../../../src/wire/index.ts';
import { Api, ApiError } from '../api/api.ts';
import { learnSentences } from '../drawer/sentence.ts';
import { EventsScreen } from '../events/events-screen.tsx';
import { Pins } from '../proof/index.ts';
import { EntityScreen } from '../screens/entity-screen.tsx';
import { IntegrityScreen } from '../screens/integrity-screen.tsx';
import { KeysScreen } from '../screens/keys-screen.tsx';
import { LogsScreen } from '../screens/logs-screen.tsx';
import { PrivacyScreen } from '../screens/privacy-screen.tsx';
import { Announcer } from './announce.tsx';
import { ViewerContext } from './context.tsx';
import { Help } from './help.tsx';
import { LogProof } from './log-proof.ts';
import { Failure } from './parts.tsx';
import { type Router, RouterContext, useRoute } from './route.ts';
import { SignIn } from './sign-in.tsx';
import { TopBar } from './top-bar.tsx';

/** How a viewer is set up: by the page that it is, or the element that it is in. */
export interface ViewerOptions {
  readonly root: string;
  readonly token?: string;
  /** The key of the log, where whoever embeds the viewer brings it along. */
  readonly vkey?: string;
  readonly isEmbedded: boolean;
  readonly router: Router;
}

/** The viewer. */
export function App({ options }: { options: ViewerOptions }) {
  const [client] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: { retry: retryable, staleTime: 10_000, refetchOnWindowFocus: false },
        },
      }),
  );
  return (
    <QueryClientProvider client={client}>
      <RouterContext value={options.router}>
        <Session options={options} />
      </RouterContext>
    </QueryClientProvider>
  );
}

/** What a second attempt may mend: the network, and a server that is busy. */
function retryable(failures: number, error: unknown): boolean {
  return failures < 2 && !(error instanceof ApiError && error.status < 500 && error.status !== 429);
}

function Session({ options }: { options: ViewerOptions }) {
  const { root, token } = options;
  const api = useMemo(() => new Api(root, token), [root, token]);
  const session = useQuery({
    queryKey: ['session', root, token],
    queryFn: ({ signal }) => api.session(signal),
    staleTime: Infinity,
  });
  if (session.isPending) return <p className="empty muted">Loading…</p>;
  if (session.data !== undefined) {
    learnSentences(session.data.sentences);
    return <Signed {...{ options, api }} session={session.data} />;
  }
  if (session.error instanceof ApiError && session.error.status === 401) {
    if (options.isEmbedded) return <p className="empty muted">This view has expired.</p>;
    return <SignIn message="You are not signed in." api={api} />;
  }
  return <Failure error={session.error} retry={() => void session.refetch()} />;
}

function Signed({ options, api, session }: { options: ViewerOptions; api: Api; session: ViewerSession }) {
  const { route, go } = useRoute();
  const { isEmbedded, vkey } = options;
  const canList = session.kind !== 'viewer-token';
  const logs = useQuery({
    queryKey: ['logs'],
    queryFn: ({ signal }) => api.logs(signal),
    enabled: canList,
  });
  const names = useMemo(() => namesOf(logs.data), [logs.data]);
  const first = session.log ?? names[0];
  useEffect(() => {
    if (route.log === '' && first !== undefined) go({ log: first }, { replace: true });
  }, [route.log, first, go]);
  const proof = useMemo(
    () => new LogProof(route.log, { api, pins: new Pins(api.root), vkey }),
    [route.log, api, vkey],
  );
  const viewer = useMemo(() => ({ api, session, proof, isEmbedded }), [api, session, proof, isEmbedded]);
  const [isHelping, setHelping] = useState(false);
  const help = (): void => setHelping(true);
  if (logs.error !== null) return <Failure error={logs.error} retry={() => void logs.refetch()} />;
  return (
    <ViewerContext value={viewer}>
      <div className="viewer">
        <Announcer>
          <TopBar logs={names} onHelp={help} />
          <Screen isReady={route.log !== ''} onHelp={help} />
          {isHelping && <Help onClose={() => setHelping(false)} />}
        </Announcer>
      </div>
    </ViewerContext>
  );
}

/** All logs: one that the server finds damaged is the one to look at first of all. */
function namesOf(list: LogList | undefined): string[] {
  const names = list?.logs.map(({ name }) => name) ?? [];
  return [...names, ...(list?.unreadable ?? [])].toSorted();
}

function Screen({ isReady, onHelp }: { isReady: boolean; onHelp: () => void }): ReactNode {
  const { route } = useRoute();
  if (route.screen === 'logs') return <LogsScreen />;
  if (route.screen === 'keys') return <KeysScreen />;
  if (!isReady) return <p className="empty muted">Loading…</p>;
  if (route.screen === 'integrity') return <IntegrityScreen />;
  if (route.screen === 'privacy') return <PrivacyScreen key={route.log} />;
  if (route.screen === 'entity') return <EntityScreen key={route.entity} onHelp={onHelp} />;
  return <EventsScreen key={route.log} onHelp={onHelp} />;
}
