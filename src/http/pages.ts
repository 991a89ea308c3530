import type { Problem } from '../wire/index.ts';

const head =
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">';

/** A page that goes on to a path of this server by itself. */
export function onwardPage(next: string): string {
  const target = escapeHtml(next);
  return (
    `${head}<meta http-equiv="refresh" content="0;url=${target}">` +
    `<title>Indelible</title><p><a href="${target}">Go on to the viewer</a></p></html>`
  );
}

/** A problem for a person who looks at it in a browser. */
export function problemPage({ detail, hint, code, requestId }: Problem): string {
  const small = [code, requestId].filter((text) => text !== undefined).join(' · ');
  return (
    `${head}<title>Indelible</title><h1>Not signed in</h1><p>${escapeHtml(detail)}</p>` +
    `${hint === undefined ? '' : `<p>${escapeHtml(`${hint.charAt(0).toUpperCase()}${hint.slice(1)}.`)}</p>`}` +
    `<p><a href="/">Back to the viewer</a></p><p><small>${escapeHtml(small)}</small></p></html>`
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
