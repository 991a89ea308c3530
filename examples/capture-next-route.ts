// A route handler of Next.js 16 that records who did what: this file as `app/invoices/[id]/void/route.ts`.
//
// A server action is wrapped the same way, in a file with 'use server', and given the headers of its request:
//
//     const audit = auditNext({ log, headers: async () => (await import('next/headers')).headers() });
//     export const voidInvoice = audit.action('voidInvoice', async (form: FormData) => { … });

import { type Log, openLog } from 'indelible';
import { auditNext } from 'indelible/next';

export const runtime = 'nodejs';

// One log, however often this module is loaded.
const kept = globalThis as { auditLog?: Promise<Log> };
kept.auditLog ??= openLog(process.env['AUDIT_DIR'] ?? 'data/audit', {
  createIfMissing: { origin: 'example.com/audit' },
});
const log = await kept.auditLog;

const audit = auditNext({
  log,
  trustedProxies: 1,
  actor: (headers) =>
    headers.get('x-user') === null ? undefined : { type: 'user', id: headers.get('x-user')! },
  calls: { body: ['reason'] },
});

export const POST = audit.route(
  '/invoices/[id]/void',
  async (_request, { params }: { params: Promise<{ id: string }> }) => {
    const { id } = await params;
    await log.record({ action: 'invoice.voided', targets: [{ type: 'invoice', id }] });
    return Response.json({ voided: id }, { status: 201 });
  },
);
