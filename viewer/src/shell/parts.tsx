import { type ReactNode, type RefObject, useEffect, useState, useSyncExternalStore } from 'react';
import { useAnnounce } from './announce.tsx';
import { useViewer } from './context.tsx';
import { formatAbsolute, formatRelative } from './format.ts';

let now = Date.now();
const clockListeners = new Set<() => void>();
setInterval(() => {
  now = Date.now();
  for (const listener of clockListeners) listener();
}, 15_000);

function subscribeClock(listener: () => void): () => void {
  clockListeners.add(listener);
  return () => clockListeners.delete(listener);
}

/** A time as its distance from now; absolute, with its zone, on hover and for screen readers. */
export function When({ time }: { time: string }) {
  const current = useSyncExternalStore(subscribeClock, () => now);
  return (
    <time dateTime={time} title={`${formatAbsolute(time)} (${time})`}>
      {formatRelative(time, current)}
    </time>
  );
}

/** What a screen is about: the main part of the page, where the page is the viewer's own. */
export function Main({
  ref,
  className,
  children,
}: {
  ref?: RefObject<HTMLDivElement | null>;
  className: string;
  children: ReactNode;
}) {
  const { isEmbedded } = useViewer();
  if (isEmbedded) {
    return (
      <div ref={ref} className={className}>
        {children}
      </div>
    );
  }
  return (
    <main ref={ref as RefObject<HTMLElement | null> | undefined} className={className}>
      {children}
    </main>
  );
}

/** Copies a text, and says that it has. */
export function CopyButton({ text, label, words = 'Copy' }: { text: string; label: string; words?: string }) {
  const [isCopied, setCopied] = useState(false);
  const announce = useAnnounce();
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    announce(`Copied ${label}.`);
  };
  return (
    <button
      type="button"
      className="quiet"
      onClick={() => void copy()}
      aria-label={`${isCopied ? 'Copied' : words} ${label}`}
    >
      {isCopied ? 'Copied' : words}
    </button>
  );
}

/** A command or a text to take along. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <div className="copyable">
      <code>{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}

/** Something went wrong: what, and what to do. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = (error as { problem?: { code?: string; hint?: string; requestId?: string } }).problem;
  const message = error instanceof Error ? error.message : String(error);
  const hint = problem?.hint !== undefined && !message.includes(problem.hint) ? problem.hint : undefined;
  return (
    <div className="trouble" role="alert">
      <p>
        {message}
        {hint && <> {hint}</>}
      </p>
      <p className="muted small">
        {problem?.code && <code>{problem.code}</code>}
        {problem?.requestId && <> · request {problem.requestId}</>}
      </p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A section of a page, under its heading. */
export function Section({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className="section">
      <h2>{title}</h2>
      {note && <p className="muted">{note}</p>}
      {children}
    </section>
  );
}
