const PLACE = 'indelible.come-back';

/**
 * Keeps what stands behind the `#` of the address while the person is away to sign in: it goes to no server, so none can
 * send it back. For this tab alone.
 */
export function keepPlace(): void {
  try {
    sessionStorage.setItem(PLACE, location.hash);
  } catch {
    // Storage is refused here: the person comes back to the first page.
  }
}

/** Puts it back, once. */
export function restorePlace(): void {
  try {
    const place = sessionStorage.getItem(PLACE);
    sessionStorage.removeItem(PLACE);
    if (place?.startsWith('#/') && location.hash === '') history.replaceState(null, '', place);
  } catch {
    // As above.
  }
}
