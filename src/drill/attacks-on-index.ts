import type { Attack } from './attack.ts';

/** Attacks on the search index alone. FAULTS attacks 2 and 52. */
export const indexAttacks: readonly Attack[] = [];
