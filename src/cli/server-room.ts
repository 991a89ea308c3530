/** The server's room, loaded by the commands that need it alone: it takes as long to load as all the others together. */
export function serverRoom(): Promise<typeof import('../http/index.ts')> {
  return import('../http/index.ts');
}
