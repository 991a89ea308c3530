import { createContext, type ReactNode, use, useCallback, useState } from 'react';
import { useRoute } from './route.ts';

const AnnounceContext = createContext<(text: string) => void>(() => {});

/** Says to screen readers what a key has done, where nothing on the screen moves. */
export function useAnnounce(): (text: string) => void {
  return use(AnnounceContext);
}

/** The place where it is said; around everything that says something. */
export function Announcer({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState({ text: '', count: 0 });
  const announce = useCallback((text: string) => setSaid(({ count }) => ({ text, count: count + 1 })), []);
  return (
    <AnnounceContext value={announce}>
      {children}
      <p className="visually-hidden" role="status">
        {/* A new element each time: the same words said again are news. */}
        <span key={said.count}>{said.text}</span>
      </p>
    </AnnounceContext>
  );
}

/** Copies a link to what is shown, and says so. */
export function useCopyLink(): () => void {
  const { href } = useRoute();
  const announce = useAnnounce();
  return () => {
    const link = href({});
    if (link === undefined) {
      announce('This view is part of another page and has no link of its own.');
      return;
    }
    navigator.clipboard.writeText(new URL(link, document.baseURI).href).then(
      () => announce('Copied a link to what is shown.'),
      () => announce('The browser did not let the link be copied.'),
    );
  };
}
