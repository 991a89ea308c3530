/**
 * What outside parties sign about a log, and how they are asked.
 *
 * A log's own signature says nothing against whoever holds its key. A witness that cosigns a checkpoint has seen that it continues
 * the last one it saw; a time-stamping authority that signs it has seen it at that time. Neither can be made afterwards without
 * them. What they signed is kept in `anchors.db` beside the log, and travels with its proofs.
 */
export { AnchorStore, type PublishedCheckpoint, type StampedCheckpoint } from './anchor-store.ts';
