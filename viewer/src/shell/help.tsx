import { useEffect, useRef } from 'react';

const keys: readonly (readonly [string, string])[] = [
  ['/', 'Search'],
  ['j', 'Next event, older'],
  ['k', 'Previous event, newer'],
  ['Enter', 'Open the event'],
  ['v', 'Verify it again in this browser'],
  ['c', 'Copy a link to what is shown'],
  ['Esc', 'Close'],
  ['?', 'This help'],
];

/** The keys, and what the check in the page is worth. */
export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="dialog" onClose={onClose} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl className="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h2>What “sealed” means</h2>
      <p>
        This browser hashed the exact bytes of the event, found the hash in a tree that the log signed, and
        checked that the tree continues the last one it saw. Whoever changes the database cannot do that
        unseen.
      </p>
      <p>
        What it does not show: that the server behind this page is honest, since the page and, at the first
        visit, the key come from it; that what applications reported is true; that nothing was left
        unreported. Compare the key with one that you got elsewhere, and run <code>indelible verify</code> on
        files you saved.
      </p>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
