// The application itself: its pages, who may do what on them, and what of it is recorded.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { and, eq } from 'drizzle-orm';
import { type Context, Hono } from 'hono';
import { csrf } from 'hono/csrf';
import { secureHeaders } from 'hono/secure-headers';
import { isLogError } from 'indelible/bytes';
import { auditDiff } from 'indelible/capture';
import { auditHono } from 'indelible/hono';
import { type Accounts, invitationOf, invite, membersOf, type Person, personOf } from './accounts.ts';
import type { Audit } from './audit.ts';
import * as pages from './pages.ts';
import { type Db, invitations, invoices, type Role, roles, tenants, user } from './store.ts';

/** What the application is made of. */
export interface Parts {
  readonly db: Db;
  readonly accounts: Accounts;
  readonly audit: Audit;
  /** Where the application is, and where the server of its logs is. */
  readonly origin: string;
  readonly auditOrigin: string;
}

type Env = { Variables: { person: Person } };

const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');

/** The application as a handler of requests. */
export function createApp(parts: Parts): Hono {
  const { accounts, audit, origin, auditOrigin } = parts;
  const app = new Hono<Env>();
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: [auditOrigin],
        connectSrc: [auditOrigin],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    }),
  );
  // A form of another site is refused: browsers say where a form comes from.
  app.use(csrf({ origin }));
  app.use(
    auditHono({
      log: audit.log,
      actor: (c) => {
        const person = c.get('person') as Person | undefined;
        return person && { type: 'user', id: person.id };
      },
    }),
  );
  app.get('/style.css', (c) => c.body(style, 200, { 'content-type': 'text/css; charset=utf-8' }));
  signingUp(app, parts);
  signingIn(app, parts);
  app.use(async (c, next) => {
    const person = await personOf(accounts, c.req.raw.headers);
    if (person === undefined) return c.redirect('/sign-in', 303);
    c.set('person', person);
    c.header('cache-control', 'no-store');
    return next();
  });
  invoicePages(app, parts);
  peoplePages(app, parts);
  auditPage(app, parts);
  app.notFound((c) => c.html(pages.message('There is no such page', 'Go back to where you came from.'), 404));
  app.onError((error, c) => {
    // The event is nowhere, and so nothing was done.
    if (isLogError(error)) return c.html(pages.unrecorded(), 503);
    if ('getResponse' in error) return (error as { getResponse(): Response }).getResponse();
    console.error(error);
    return c.html(pages.message('Something went wrong', 'It is not your fault. Try again later.'), 500);
  });
  return app as unknown as Hono;
}

/** Signing up, and joining. better-auth's plugin records all of it, as it does signing in and out. */
function signingUp(app: Hono<Env>, { db, accounts, audit }: Parts): void {
  const enter = async (c: Context<Env>, body: NewUser): Promise<boolean> => {
    try {
      const headers = c.req.raw.headers;
      const made = await accounts.api.signUpEmail({ body, headers, returnHeaders: true });
      keepCookies(c, made.headers);
      return true;
    } catch (error) {
      if (isLogError(error)) throw error;
      return false;
    }
  };
  app.get('/sign-up', (c) => c.html(pages.signUp()));
  app.post('/sign-up', async (c) => {
    const form = await fieldsOf(c, ['company', 'name', 'email', 'password']);
    const taken = await db.select().from(user).where(eq(user.email, form.email.toLowerCase()));
    if (taken.length > 0 || form.company === '' || form.name === '' || form.password.length < 12) {
      return c.html(pages.signUp('That did not work. A password has at least 12 characters.'), 400);
    }
    const words = form.company
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
      .slice(0, 30);
    const tenant = `${words === '' ? 't' : words}-${randomBytes(3).toString('hex')}`;
    await db.insert(tenants).values({ id: tenant, name: form.company, vkey: await audit.createLog(tenant) });
    const { company: _, ...rest } = form;
    if (!(await enter(c, { ...rest, tenant, role: 'owner' }))) {
      return c.html(pages.signUp('That did not work.'), 400);
    }
    for (const [at, customer] of ['Harbour Bakery', 'North Cycles', 'Lumen Studio'].entries()) {
      const id = `in_${randomBytes(4).toString('hex')}`;
      await db.insert(invoices).values({ id, tenant, customer, cents: 12_000 + at * 7350, state: 'open' });
    }
    return c.redirect('/', 303);
  });
  app.get('/join/:secret', async (c) => {
    const found = await invitationOf(db, c.req.param('secret'));
    return found === undefined ? c.html(pages.spentLink(), 404) : c.html(pages.join(found.email));
  });
  app.post('/join/:secret', async (c) => {
    const form = await fieldsOf(c, ['name', 'password']);
    const found = await invitationOf(db, c.req.param('secret'));
    if (found === undefined) return c.html(pages.spentLink(), 404);
    const body = { ...form, email: found.email, tenant: found.tenant, role: 'member' };
    if (form.name === '' || !(await enter(c, body))) {
      return c.html(
        pages.join(found.email, 'That did not work. A password has at least 12 characters.'),
        400,
      );
    }
    await db.delete(invitations).where(eq(invitations.id, found.id));
    return c.redirect('/', 303);
  });
}

function signingIn(app: Hono<Env>, { accounts }: Parts): void {
  app.get('/sign-in', (c) => c.html(pages.signIn()));
  app.post('/sign-in', async (c) => {
    const body = await fieldsOf(c, ['email', 'password']);
    try {
      const headers = c.req.raw.headers;
      keepCookies(c, (await accounts.api.signInEmail({ body, headers, returnHeaders: true })).headers);
    } catch (error) {
      if (isLogError(error)) throw error;
      return c.html(pages.signIn('These are not an address and a password that belong together.'), 401);
    }
    return c.redirect('/', 303);
  });
  app.post('/sign-out', async (c) => {
    const signedOut = await accounts.api.signOut({ headers: c.req.raw.headers, returnHeaders: true });
    keepCookies(c, signedOut.headers);
    return c.redirect('/sign-in', 303);
  });
}

interface NewUser {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly tenant: string;
  readonly role: string;
}

function invoicePages(app: Hono<Env>, { db, audit }: Parts): void {
  app.get('/', async (c) => {
    const person = c.get('person');
    const rows = await db.select().from(invoices).where(eq(invoices.tenant, person.tenant));
    return c.html(pages.invoiceList(await frameOf(db, person), rows));
  });
  app.post('/invoices/:id/void', async (c) => {
    const person = c.get('person');
    const { reason } = await fieldsOf(c, ['reason']);
    const mine = and(eq(invoices.id, c.req.param('id')), eq(invoices.tenant, person.tenant));
    const [invoice] = await db
      .select()
      .from(invoices)
      .where(and(mine, eq(invoices.state, 'open')));
    if (invoice === undefined) return c.notFound();
    const event = {
      action: 'invoice.voided',
      targets: [{ type: 'invoice', id: invoice.id }],
      reason,
    } as const;
    if (person.role === 'member') {
      await audit.record({ ...event, outcome: 'denied' });
      const why = 'Only an owner or an accountant voids invoices. That you tried was recorded.';
      return c.html(pages.message('You may not void invoices', why), 403);
    }
    if (reason === '') return c.html(pages.message('Say why', 'An invoice is voided for a reason.'), 400);
    // First the record, then the deed: the action is critical, so this throws where it cannot be recorded, and nothing is voided.
    await audit.record({ ...event, changes: auditDiff({ state: 'open' }, { state: 'void' }) });
    await db.update(invoices).set({ state: 'void' }).where(mine);
    return c.redirect('/', 303);
  });
}

function peoplePages(app: Hono<Env>, { db, audit, origin }: Parts): void {
  const people = async (person: Person, link?: string) =>
    pages.people(await frameOf(db, person), await membersOf(db, person.tenant), link);
  app.get('/people', async (c) => c.html(await people(c.get('person'))));
  app.post('/people/invite', async (c) => {
    const person = c.get('person');
    const { email } = await fieldsOf(c, ['email']);
    if (!/^[^\s@]+@[^\s@]+$/.test(email))
      return c.html(pages.message('No address', 'That is no e-mail address.'), 400);
    const id = `inv_${randomBytes(6).toString('hex')}`;
    const event = { action: 'user.invited', targets: [{ type: 'invitation', id, name: email }] } as const;
    if (person.role !== 'owner') {
      await audit.record({ ...event, outcome: 'denied' });
      return c.html(pages.message('You may not invite anybody', 'That you tried was recorded.'), 403);
    }
    await audit.record(event);
    const secret = await invite(db, { id, tenant: person.tenant, email: email.toLowerCase() });
    return c.html(await people(person, `${origin}/join/${secret}`));
  });
  app.post('/people/:id/role', async (c) => {
    const person = c.get('person');
    const { role, reason } = await fieldsOf(c, ['role', 'reason']);
    const [member] = await membersOf(db, person.tenant, c.req.param('id'));
    if (member === undefined) return c.notFound();
    if (!isRole(role) || reason === '') return c.html(pages.message('Say which role, and why', ''), 400);
    const target = { type: 'user', id: member.id, name: member.name, email: member.email } as const;
    const event = { action: 'role.assigned', targets: [target], metadata: { role }, reason } as const;
    // Nobody gives a role to themselves: so there is always an owner.
    if (person.role !== 'owner' || member.id === person.id) {
      await audit.record({ ...event, outcome: 'denied' });
      return c.html(pages.message('You may not change this role', 'That you tried was recorded.'), 403);
    }
    await audit.record({ ...event, changes: auditDiff({ role: member.role }, { role }) });
    await db.update(user).set({ role }).where(eq(user.id, member.id));
    return c.redirect('/people', 303);
  });
}

function auditPage(app: Hono<Env>, { db, audit, origin, auditOrigin }: Parts): void {
  app.get('/audit', async (c) => {
    const person = c.get('person');
    if (person.role !== 'owner') {
      await audit.record({ action: 'audit_log.opened', outcome: 'denied' });
      return c.html(pages.message('You may not read the audit log', 'That you tried was recorded.'), 403);
    }
    await audit.record({ action: 'audit_log.opened' });
    const [tenant] = await db.select().from(tenants).where(eq(tenants.id, person.tenant));
    const token = await audit.viewerToken(person.tenant, origin);
    const viewer = { script: `${auditOrigin}/embed.js`, log: person.tenant, token, vkey: tenant!.vkey };
    return c.html(pages.auditLog(await frameOf(db, person), viewer));
  });
}

/** What every page of somebody who is signed in shows around itself. */
async function frameOf(db: Db, person: Person): Promise<pages.Frame> {
  const [tenant] = await db.select().from(tenants).where(eq(tenants.id, person.tenant));
  return { person, tenant: tenant?.name ?? '' };
}

/** The fields of a form, as short texts. */
async function fieldsOf<const Name extends string>(
  c: Context<Env>,
  names: readonly Name[],
): Promise<Record<Name, string>> {
  const form = await c.req.parseBody();
  const fields = names.map((name) => [
    name,
    String(form[name] ?? '')
      .trim()
      .slice(0, 200),
  ]);
  return Object.fromEntries(fields) as Record<Name, string>;
}

function keepCookies(c: Context<Env>, from: Headers): void {
  for (const cookie of from.getSetCookie()) c.header('set-cookie', cookie, { append: true });
}

function isRole(role: string): role is Role {
  return (roles as readonly string[]).includes(role);
}
