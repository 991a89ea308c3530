// Events whose whole content follows from their id: whoever finds one in a log knows what it must look like.

/** The action of every event of the fault tests. */
export const FAULT_ACTION = 'fault.recorded';

/** The event of an id, with values in the clear and five sealed ones. */
export function faultEvent(id: string) {
  return {
    id,
    action: FAULT_ACTION,
    actor: { type: 'user', id: `u_${id}`, name: `Name of ${id}` },
    targets: [{ type: 'document', id: `d_${id}`, title: `Title of ${id}` }],
    context: { ip: '203.0.113.9', requestId: id },
    reason: `Because of ${id}`,
    labels: { about: id },
  };
}

/** What the entry of an id shows in the open. */
export function openPart(id: string): Record<string, unknown> {
  return {
    id,
    action: FAULT_ACTION,
    actor: { type: 'user', id: `u_${id}` },
    targets: [{ type: 'document', id: `d_${id}` }],
  };
}

/** The names and values that its disclosures hold, as sorted JSON texts. */
export function sealedPart(id: string): string[] {
  const { actor, targets, context, reason, labels } = faultEvent(id);
  const sealed = { name: actor.name, title: targets[0]?.title, context, reason, labels };
  return Object.entries(sealed)
    .map(([name, value]) => JSON.stringify([name, value]))
    .sort();
}
