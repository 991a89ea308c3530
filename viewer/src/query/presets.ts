/** A question that people ask often. */
export interface Preset {
  readonly name: string;
  /** Terms that join the query. */
  terms(): readonly string[];
}

const DAY_MS = 86_400_000;

function ago(days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

/** What auditors, administrators and people on call look for first. */
export const presets: readonly Preset[] = [
  { name: 'Last 24 hours', terms: () => [`after:${new Date(Date.now() - DAY_MS).toISOString()}`] },
  { name: 'Last 7 days', terms: () => [`after:${ago(7)}`] },
  { name: 'Last 30 days', terms: () => [`after:${ago(30)}`] },
  { name: 'Denied', terms: () => ['outcome:denied'] },
  { name: 'Not successful', terms: () => ['-outcome:success'] },
  { name: 'High and critical', terms: () => ['severity:high,critical'] },
  { name: 'Signing in', terms: () => ['action:user.signed_in,user.sign_in_failed,user.locked,mfa.*'] },
  { name: 'Roles and permissions', terms: () => ['action:role.*,permission.*,policy.*'] },
  { name: 'Keys and tokens', terms: () => ['action:api_key.*,token.*'] },
  { name: 'Exports of data', terms: () => ['action:data.exported,log.exported'] },
  { name: 'What agents did', terms: () => ['action:agent.*'] },
  { name: 'The log itself', terms: () => ['action:log.*'] },
];
