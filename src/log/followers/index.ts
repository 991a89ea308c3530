/**
 * Followers: how a log is extended.
 *
 * A follower tails the log from a cursor of its own, (size, root), which is kept in `followers.db` and held against the log
 * before it goes on: what it has passed on is what the log still says. Nothing waits for it. Sinks, publication and
 * timestamping are followers; the search index is one too, with its cursor in its own file (`../search`).
 *
 * ```ts
 * log.followers.add({
 *   name: 'alarm',
 *   async apply({ events }) {
 *     for (const event of events) if (event.outcome === 'denied') await alarm(event);
 *   },
 * });
 * log.followers.list(); // [{ name: 'alarm', size: 1204, lag: 0, state: 'following' }]
 * ```
 */
export type { Errand, ErrandOutcome } from './errand.ts';
export {
  BATCH_ENTRIES_DEFAULT,
  BATCH_ENTRIES_MAX,
  type Follower,
  type FollowerBatch,
  type FollowerCursor,
  type FollowerSource,
  type FollowerState,
  type FollowerStatus,
  type LeaseTask,
  type LeaseTurn,
} from './follower.ts';
export {
  type FollowerOptions,
  FollowerRunner,
  LEASE_MS_DEFAULT,
  POLL_MS_DEFAULT,
  RETRY_MS_MAX_DEFAULT,
} from './runner.ts';
