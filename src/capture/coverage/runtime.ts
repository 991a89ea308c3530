import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';

/** Where a framework's integration tells that a request has been answered: a {@link RanRoute}. */
export const ROUTE_CHANNEL = 'indelible:route';

/** Where it tells that an event was recorded within a request: a {@link RoutedEvent}. */
export const RECORDED_CHANNEL = 'indelible:recorded';

/** A request that was answered. */
export interface RanRoute {
  readonly method: string;
  /** The pattern, never the address: `/invoices/:id`. */
  readonly route: string;
}

/** An event that was recorded while a request was served. */
export interface RoutedEvent extends RanRoute {
  readonly action: string;
}

/** Tells that a request was answered. Costs next to nothing where nobody listens. */
export function tellRoute(ran: RanRoute): void {
  const told = channel(ROUTE_CHANNEL);
  if (told.hasSubscribers) told.publish(ran);
}

/** Tells that an event was recorded within a request. */
export function tellRecorded(event: RoutedEvent): void {
  const told = channel(RECORDED_CHANNEL);
  if (told.hasSubscribers) told.publish(event);
}

/** Events of one request that are told of. */
const HEARD_MAX = 10_000;

/** Whether anybody listens: where nobody does, no request is followed for it. */
export function isCoverageHeard(): boolean {
  return channel(ROUTE_CHANNEL).hasSubscribers || channel(RECORDED_CHANNEL).hasSubscribers;
}

/** What is recorded while one request is served: told once it has ended, since only then its route is known. */
export class RequestCoverage {
  readonly #actions: string[] = [];
  #ran: RanRoute | undefined;

  /** An event was recorded in it. */
  hear(action: string): void {
    if (this.#ran !== undefined) tellRecorded({ ...this.#ran, action });
    else if (this.#actions.length < HEARD_MAX) this.#actions.push(action);
  }

  /** It was answered. What is recorded in it later is told at once. */
  end(ran: RanRoute): void {
    if (this.#ran !== undefined) return;
    this.#ran = ran;
    tellRoute(ran);
    for (const action of this.#actions.splice(0)) tellRecorded({ ...ran, action });
  }
}

/** What became of one route. */
export interface RouteCoverage extends RanRoute {
  /** How often it was answered. */
  readonly ran: number;
  /** How many events were recorded while it was. */
  readonly recorded: number;
  readonly actions: readonly string[];
}

/** Routes that one coverage remembers; the ones that come later are counted together. A pattern is not an address: this is many. */
const ROUTES_MAX = 10_000;

/** A coverage that listens. */
export interface RunningCoverage {
  /** Every route that ran, by name; those that wrote and recorded nothing have `recorded` 0. */
  report(): readonly RouteCoverage[];
  /** The routes that can write, by their method, and of which nothing was recorded. */
  unrecorded(): readonly RouteCoverage[];
  /** How many messages were about more routes than are remembered. */
  readonly overflow: number;
  /** Stops listening. */
  stop(): void;
}

interface Counts {
  ran: number;
  recorded: number;
  readonly actions: Set<string>;
}

/** Listens to what runs and what is recorded, from now until `stop`: in a test run, or for a day in production. */
export function createCoverage(): RunningCoverage {
  const routes = new Map<string, Counts>();
  let overflow = 0;
  const countsOf = ({ method, route }: RanRoute): Counts | undefined => {
    const name = `${method.toUpperCase()} ${route}`;
    let counts = routes.get(name);
    if (counts === undefined && routes.size < ROUTES_MAX) {
      counts = { ran: 0, recorded: 0, actions: new Set() };
      routes.set(name, counts);
    }
    if (counts === undefined) overflow += 1;
    return counts;
  };
  const onRoute = (message: unknown): void => {
    const counts = countsOf(message as RanRoute);
    if (counts !== undefined) counts.ran += 1;
  };
  const onRecorded = (message: unknown): void => {
    const counts = countsOf(message as RoutedEvent);
    if (counts === undefined) return;
    counts.recorded += 1;
    counts.actions.add((message as RoutedEvent).action);
  };
  subscribe(ROUTE_CHANNEL, onRoute);
  subscribe(RECORDED_CHANNEL, onRecorded);
  const report = (): readonly RouteCoverage[] =>
    [...routes.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { ran, recorded, actions }]) => {
        const [method = '', route = ''] = name.split(/ (.*)/s);
        return { method, route, ran, recorded, actions: [...actions].sort() };
      });
  return {
    report,
    unrecorded: () =>
      report().filter(({ method, recorded }) => recorded === 0 && !/^(?:GET|HEAD|OPTIONS)$/.test(method)),
    get overflow() {
      return overflow;
    },
    stop: () => {
      unsubscribe(ROUTE_CHANNEL, onRoute);
      unsubscribe(RECORDED_CHANNEL, onRecorded);
    },
  };
}
