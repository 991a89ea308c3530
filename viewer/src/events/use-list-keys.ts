import { useEffect, useRef } from 'react';
import { useViewer } from '../shell/context.tsx';

/** What the keys of the list do. */
export interface ListKeys {
  onSearch(): void;
  onStep(step: 1 | -1): void;
  onOpen(): void;
  onClose(): void;
  onVerify(): void;
  onCopy(): void;
  onHelp(): void;
}

/** Single keys, for whoever is not typing: `/ j k Enter v c ? Esc`. */
export function useListKeys(keys: ListKeys): void {
  const { isEmbedded } = useViewer();
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTaken(event)) return;
      // In somebody else's page, only keys that are meant for the viewer.
      if (isEmbedded && !event.composedPath().some(isViewer)) return;
      const action = actionOf(event.key, current.current);
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [isEmbedded]);
}

function isViewer(node: EventTarget): boolean {
  return node instanceof Element && node.classList.contains('viewer');
}

function actionOf(key: string, keys: ListKeys): (() => void) | undefined {
  switch (key) {
    case '/':
      return () => keys.onSearch();
    case 'j':
      return () => keys.onStep(1);
    case 'k':
      return () => keys.onStep(-1);
    case 'Enter':
      return () => keys.onOpen();
    case 'v':
      return () => keys.onVerify();
    case 'c':
      return () => keys.onCopy();
    case '?':
      return () => keys.onHelp();
    case 'Escape':
      return () => keys.onClose();
    default:
      return undefined;
  }
}

/** Whether the key belongs to what has the focus: a field, a dialog, or Enter on a button. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest('input, textarea, select, dialog') !== null) return true;
  return event.key === 'Enter' && target.closest('button, a, summary, [role="slider"]') !== null;
}
