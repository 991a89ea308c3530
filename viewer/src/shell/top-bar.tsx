import { useEffect, useState } from 'react';
import { useProofState, useViewer } from './context.tsx';
import { formatNumber } from './format.ts';
import { Mark } from './mark.tsx';
import { When } from './parts.tsx';
import { type Route, useRoute } from './route.ts';
import { nextTheme, type Theme } from './theme.ts';

/** Which log, which screen, and what this browser has found of the log. */
export function TopBar({ logs, onHelp }: { logs: readonly string[]; onHelp: () => void }) {
  const { session, isEmbedded } = useViewer();
  const { route, go } = useRoute();
  if (isEmbedded) {
    return (
      <header className="top-bar">
        <span className="grow" />
        <Seal />
      </header>
    );
  }
  const isAdmin = session.scopes.includes('admin');
  const maySeePrivacy = session.scopes.some((scope) =>
    ['privacy', 'approve', 'admin', 'audit'].includes(scope),
  );
  return (
    <header className="top-bar">
      <span className="brand">
        <Mark />
        <span className="on-wide">Indelible</span>
      </span>
      {logs.length > 0 && (
        <select
          aria-label="Log"
          value={route.log}
          onChange={(event) =>
            go({ screen: 'events', log: event.target.value, q: '', event: undefined, entity: undefined })
          }
        >
          {route.log === '' && <option value="">—</option>}
          {logs.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      <nav aria-label="Screens">
        <Tab screen="events" text="Events" />
        <Tab screen="integrity" text="Integrity" />
        {maySeePrivacy && <Tab screen="privacy" text="Privacy" />}
        {isAdmin && <Tab screen="logs" text="Logs" />}
        {isAdmin && <Tab screen="keys" text="Keys" />}
      </nav>
      <span className="grow" />
      {route.log !== '' && <Seal />}
      <ThemeButton />
      <button type="button" className="quiet" onClick={onHelp} aria-label="Help and keys">
        ?
      </button>
    </header>
  );
}

function Tab({ screen, text }: { screen: Route['screen']; text: string }) {
  const { route, go, href } = useRoute();
  const isGlobal = screen === 'logs' || screen === 'keys';
  const target = { screen, q: '', event: undefined, entity: undefined, side: 'both' as const, isLive: false };
  const isCurrent = route.screen === screen;
  return (
    <a
      href={href(target)}
      aria-current={isCurrent ? 'page' : undefined}
      className={isGlobal ? 'global' : ''}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(target);
      }}
    >
      {text}
    </a>
  );
}

/** The verdict of this browser about the log, wherever one is in the viewer. */
function Seal() {
  const { proof } = useViewer();
  const { head, broken, checkedAt } = useProofState();
  useEffect(() => {
    void proof.refresh();
  }, [proof]);
  const isBroken = head?.state === 'broken' || broken.length > 0;
  const state = isBroken ? 'broken' : head?.state === 'sealed' ? 'sealed' : 'pending';
  const words = isBroken
    ? 'Broken'
    : head?.state === 'sealed'
      ? 'Sealed'
      : head?.state === 'unreachable'
        ? 'Not checked'
        : 'Checking…';
  const title = head?.state === 'unreachable' || head?.state === 'broken' ? head.message : undefined;
  return (
    <button
      type="button"
      className={`seal ${state}`}
      title={title ?? 'What this browser found. Click to check again.'}
      onClick={() => void proof.refresh()}
    >
      <span className="dot" aria-hidden="true" />
      {words}
      {state === 'sealed' && head?.state === 'sealed' && (
        <span className="on-wide"> · {formatNumber(head.head.size)}</span>
      )}
      {checkedAt && (
        <span className="muted checked">
          {' '}
          · checked here <When time={checkedAt.toISOString()} />
        </span>
      )}
    </button>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>('auto');
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return (
    <button
      type="button"
      className="quiet"
      onClick={() => setTheme(nextTheme(theme))}
      aria-label={`Colours: ${theme}. Change`}
      title={`Colours: ${theme}`}
    >
      {{ auto: '◐', light: '○', dark: '●' }[theme]}
    </button>
  );
}
