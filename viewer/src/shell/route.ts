import { createContext, use, useSyncExternalStore } from 'react';

/** What the viewer shows: everything of it that can be linked to. */
export interface Route {
  readonly screen: 'events' | 'entity' | 'integrity' | 'privacy' | 'logs' | 'keys';
  readonly log: string;
  readonly q: string;
  /** The id of the event in the drawer. */
  readonly event?: string;
  /** `type/id`, on the screen of an entity. */
  readonly entity?: string;
  readonly side: 'both' | 'actor' | 'target';
  readonly isLive: boolean;
  /** Whether entries about looking at the log, and heartbeats, are among the events. */
  readonly withHousekeeping: boolean;
}

/** Where nothing is said. */
export const home: Route = {
  screen: 'events',
  log: '',
  q: '',
  side: 'both',
  isLive: false,
  withHousekeeping: false,
};

/**
 * Reads the part of an address behind its `#`. It is there, and not in the path, because a browser keeps it to itself: what
 * somebody searches for is in no server's and no proxy's log.
 */
export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
  const parameters = new URLSearchParams(search);
  const [log = '', screen = '', rest = ''] = path.split('/').map(decoded);
  const event = parameters.get('event');
  const side = parameters.get('side');
  const shared = {
    ...home,
    log: log === '-' ? (parameters.get('log') ?? '') : log,
    q: parameters.get('q') ?? '',
    ...(event !== null && event !== '' && { event }),
    isLive: parameters.has('live'),
    withHousekeeping: parameters.has('all'),
  };
  if (log === '-' && (screen === 'logs' || screen === 'keys')) return { ...shared, screen };
  if (screen === 'integrity' || screen === 'privacy') return { ...shared, screen };
  if (screen === 'entity' && rest !== '') {
    return { ...shared, screen, entity: rest, side: side === 'actor' || side === 'target' ? side : 'both' };
  }
  return shared;
}

/** The address of a route, from its `#` on. */
export function formatRoute(route: Route): string {
  const { screen, log, q, event, entity, side, isLive, withHousekeeping } = route;
  const parameters = new URLSearchParams();
  if (q !== '') parameters.set('q', q);
  if (side !== 'both') parameters.set('side', side);
  if (isLive) parameters.set('live', '1');
  if (withHousekeeping) parameters.set('all', '1');
  if (event !== undefined) parameters.set('event', event);
  const isGlobal = screen === 'logs' || screen === 'keys';
  if (isGlobal && log !== '') parameters.set('log', log);
  const steps = [isGlobal ? '-' : log, ...(screen === 'events' ? [] : [screen]), ...(entity ? [entity] : [])];
  const search = parameters.toString();
  return `#/${steps.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return '';
  }
}

/** Where the route is kept: in the address, or, where the address is somebody else's, in memory. */
export interface Router {
  route(): Route;
  subscribe(listener: () => void): () => void;
  /** `isStep`: whether the browser's back leads here again. */
  go(route: Route, isStep: boolean): void;
  /** What a link to the route holds; undefined where there is no address of one's own. */
  href(route: Route): string | undefined;
}

/** The route in the address of the page. */
export function addressRouter(): Router {
  let hash: string | undefined;
  let route = home;
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  window.addEventListener('popstate', notify);
  window.addEventListener('hashchange', notify);
  return {
    route() {
      if (hash !== location.hash) {
        hash = location.hash;
        route = parseRoute(hash);
      }
      return route;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    go(next, isStep) {
      const target = formatRoute(next);
      if (isStep) history.pushState(null, '', target);
      else history.replaceState(null, '', target);
      notify();
    },
    href: formatRoute,
  };
}

/** A route of its own, for a viewer in somebody else's page. */
export function memoryRouter(start: Route): Router {
  let route = start;
  const listeners = new Set<() => void>();
  return {
    route: () => route,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    go(next) {
      route = next;
      for (const listener of listeners) listener();
    },
    href: () => undefined,
  };
}

export const RouterContext = createContext<Router | undefined>(undefined);

/** What of a route becomes different; a field that is set to undefined leaves it. */
export type RouteChange = { readonly [Name in keyof Route]?: Route[Name] | undefined };

/** The route, and the way to another one. */
export function useRoute(): {
  readonly route: Route;
  /** Changes some of the route; a step that the browser's back undoes, unless `replace`. */
  readonly go: (change: RouteChange, options?: { readonly replace?: boolean }) => void;
  readonly href: (change: RouteChange) => string | undefined;
} {
  const router = use(RouterContext);
  if (router === undefined) throw new Error('The viewer is mounted without a router.');
  const route = useSyncExternalStore(router.subscribe, router.route);
  return {
    route,
    go: (change, { replace = false } = {}) => router.go(withChange(router.route(), change), !replace),
    href: (change) => router.href(withChange(route, change)),
  };
}

function withChange(route: Route, change: RouteChange): Route {
  const next = { ...route, ...change };
  return Object.fromEntries(
    Object.entries(next).filter(([, value]) => value !== undefined),
  ) as unknown as Route;
}
