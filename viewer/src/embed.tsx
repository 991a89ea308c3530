import { createRoot, type Root } from 'react-dom/client';
import { App } from './shell/app.tsx';
import { home, memoryRouter } from './shell/route.ts';
import css from './styles/viewer.css?inline';

/**
 * The viewer as an element of somebody else's page:
 *
 *     <script type="module" src="https://audit.example/embed.js"></script>
 *     <indelible-viewer log="acme" token="…" vkey="…"></indelible-viewer>
 *
 * `token` is a viewer token, `vkey` the key of the log, which the embedding page should bring along; `src` says where the
 * server is, if not where this script came from. Styles live in the element's shadow; `--indelible-…` variables theme it.
 */
class IndelibleViewer extends HTMLElement {
  static readonly observedAttributes = ['src', 'log', 'token', 'vkey', 'q'];
  #root: Root | undefined;

  connectedCallback(): void {
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    shadow.adoptedStyleSheets = [sheet];
    this.#root = createRoot(shadow);
    this.#render();
  }

  disconnectedCallback(): void {
    this.#root?.unmount();
    this.#root = undefined;
  }

  attributeChangedCallback(): void {
    this.#render();
  }

  #render(): void {
    const token = this.getAttribute('token');
    const log = this.getAttribute('log');
    if (this.#root === undefined || token === null || log === null) return;
    const vkey = this.getAttribute('vkey');
    const root = new URL('.', new URL(this.getAttribute('src') ?? '.', import.meta.url)).href;
    const q = this.getAttribute('q') ?? '';
    const options = {
      root,
      token,
      ...(vkey !== null && { vkey }),
      isEmbedded: true,
      router: memoryRouter({ ...home, log, q }),
    };
    // A new token belongs to a new session: what the old one was shown goes with it.
    this.#root.render(<App key={token} options={options} />);
  }
}

if (customElements.get('indelible-viewer') === undefined) {
  customElements.define('indelible-viewer', IndelibleViewer);
}
