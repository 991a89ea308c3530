import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './shell/app.tsx';
import { restorePlace } from './shell/come-back.ts';
import { addressRouter } from './shell/route.ts';
import './styles/viewer.css';

// The page lies where the server's routes begin.
const root = new URL('.', document.baseURI).href;
restorePlace();
const options = { root, isEmbedded: false, router: addressRouter() };

createRoot(document.getElementById('viewer')!).render(
  <StrictMode>
    <App options={options} />
  </StrictMode>,
);
