import type { Attack } from './attack.ts';
import { contentAttacks } from './attacks-on-content.ts';
import { historyAttacks } from './attacks-on-history.ts';
import { indexAttacks } from './attacks-on-index.ts';
import { orderAttacks } from './attacks-on-order.ts';

/** What the row of the control is called. */
export const controlName = 'nothing (control)';

/** The control: nothing is attacked, and nothing may be found. Without it a verifier that always cries would pass. */
const control: Attack = {
  name: controlName,
  expected: false,
  verifier: { index: true },
  apply: () => undefined,
};

/** Every attack of the drill, in the order of its table. */
export const attacks: readonly Attack[] = [
  control,
  ...contentAttacks,
  ...orderAttacks,
  ...indexAttacks,
  ...historyAttacks,
];
