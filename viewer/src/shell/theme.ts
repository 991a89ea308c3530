const order = ['auto', 'light', 'dark'] as const;

/** Which colours: those of the machine, or the reader's choice for this window. */
export type Theme = (typeof order)[number];

/** The choice after this one. */
export function nextTheme(theme: Theme): Theme {
  return order[(order.indexOf(theme) + 1) % order.length]!;
}
