import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { EvidencePage } from './page.tsx';

createRoot(document.querySelector('#page')!).render(
  <StrictMode>
    <EvidencePage />
  </StrictMode>,
);
