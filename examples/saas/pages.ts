// The pages: plain HTML, no script of our own. `html` escapes whatever is put into it.

import { html } from 'hono/html';
import type { Person } from './accounts.ts';
import { roles } from './store.ts';

type Html = ReturnType<typeof html>;

/** Who looks at a page, and of which tenant. */
export interface Frame {
  readonly person: Person;
  readonly tenant: string;
}

export interface Invoice {
  readonly id: string;
  readonly customer: string;
  readonly cents: number;
  readonly state: 'open' | 'void';
}

function page(title: string, body: Html, kind = 'narrow'): Html {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title} · Ledger</title>
    <link rel="stylesheet" href="/style.css" />
  </head>
  <body class="${kind}">${body}</body>
</html>`;
}

function framed({ person, tenant }: Frame, title: string, intro: string, body: Html): Html {
  const links = [
    ['/', 'Invoices'],
    ['/people', 'People'],
    ...(person.role === 'owner' ? [['/audit', 'Audit log']] : []),
  ];
  return page(
    title,
    html`<header>
        <p class="brand"><strong>Ledger</strong> <span class="tenant">${tenant}</span></p>
        <nav aria-label="Main">
          ${links.map(([href, text]) => html`<a href="${href}" ${text === title ? html`aria-current="page"` : ''}>${text}</a>`)}
        </nav>
        <form method="post" action="/sign-out" class="who">
          <span>${person.name}<small>${person.role}</small></span>
          <button class="quiet">Sign out</button>
        </form>
      </header>
      <main>
        <h1>${title}</h1>
        <p class="intro">${intro}</p>
        ${body}
      </main>`,
    'wide',
  );
}

function outside(title: string, body: Html, error?: string): Html {
  const alert = error === undefined ? '' : html`<p class="alert" role="alert">${error}</p>`;
  return page(
    title,
    html`<main class="card">
      <p class="brand"><strong>Ledger</strong></p>
      <h1>${title}</h1>
      ${alert}${body}
    </main>`,
  );
}

function field(name: string, label: string, more: Html | string = ''): Html {
  return html`<label><span>${label}</span><input name="${name}" required maxlength="200" ${more} /></label>`;
}

const newPassword = html`type="password" minlength="12" autocomplete="new-password"`;

export const signIn = (error?: string): Html =>
  outside(
    'Sign in',
    html`<form method="post" action="/sign-in">
        ${field('email', 'E-mail', html`type="email" autocomplete="username"`)}
        ${field('password', 'Password', html`type="password" autocomplete="current-password"`)}
        <button>Sign in</button>
      </form>
      <p class="aside">New here? <a href="/sign-up">Open an account for your company</a>.</p>`,
    error,
  );

export const signUp = (error?: string): Html =>
  outside(
    'Open an account',
    html`<form method="post" action="/sign-up">
        ${field('company', 'Company', html`autocomplete="organization"`)}
        ${field('name', 'Your name', html`autocomplete="name"`)}
        ${field('email', 'E-mail', html`type="email" autocomplete="username"`)}
        ${field('password', 'Password, 12 characters or more', newPassword)}
        <button>Open the account</button>
      </form>
      <p class="aside">There is one already? <a href="/sign-in">Sign in</a>.</p>`,
    error,
  );

export const join = (email: string, error?: string): Html =>
  outside(
    'Join',
    html`<p class="intro">You were invited as ${email}.</p>
      <form method="post">
        ${field('name', 'Your name', html`autocomplete="name"`)}
        ${field('password', 'Password, 12 characters or more', newPassword)}
        <button>Join</button>
      </form>`,
    error,
  );

export const message = (title: string, text: string): Html =>
  outside(title, html`<p class="intro">${text}</p><p class="aside"><a href="/">Back to the invoices</a></p>`);

export const spentLink = (): Html => message('This link is spent', 'Ask for a new invitation.');

export const unrecorded = (): Html =>
  message(
    'Nothing was changed',
    'This must not happen unrecorded, and cannot be recorded now. Try again later.',
  );

const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });

function invoiceRow({ id, customer, cents, state }: Invoice): Html {
  const label = `Why ${id} is void`;
  const voiding = html`<form method="post" action="/invoices/${id}/void" class="line">
    <input name="reason" aria-label="${label}" placeholder="Reason" required maxlength="200" />
    <button class="danger">Void</button>
  </form>`;
  return html`<li>
    <div>
      <strong>${customer}</strong>
      <small><code>${id}</code></small>
    </div>
    <span class="amount">${money.format(cents / 100)}</span>
    <span class="state ${state}">${state}</span>
    ${state === 'open' ? voiding : ''}
  </li>`;
}

export const invoiceList = (frame: Frame, invoices: readonly Invoice[]): Html =>
  framed(
    frame,
    'Invoices',
    'Owners and accountants void them, for a reason. Whoever tries is recorded.',
    html`<ul class="rows invoices">${invoices.map(invoiceRow)}</ul>`,
  );

function personRow(member: Person, { person }: Frame): Html {
  const change = html`<form method="post" action="/people/${member.id}/role" class="line">
    <select name="role" aria-label="Role of ${member.name}">
      ${roles.map((role) => html`<option ${role === member.role ? html`selected` : ''}>${role}</option>`)}
    </select>
    <input name="reason" aria-label="Why ${member.name} gets this role" placeholder="Reason" required maxlength="200" />
    <button>Change</button>
  </form>`;
  return html`<li>
    <div><strong>${member.name}</strong> <small>${member.email}</small></div>
    <span class="state">${member.role}</span>
    ${person.role === 'owner' && member.id !== person.id ? change : ''}
  </li>`;
}

export const people = (frame: Frame, members: readonly Person[], link?: string): Html => {
  const invited = html`<p class="notice" role="status">
    Send this link to whom you invited. It is shown once: <code id="link">${link}</code>
  </p>`;
  const invite = html`<section aria-labelledby="invite">
    <h2 id="invite">Invite somebody</h2>
    <form method="post" action="/people/invite" class="line">
      <input name="email" type="email" aria-label="E-mail" placeholder="E-mail" required maxlength="200" />
      <button>Make a link</button>
    </form>
  </section>`;
  return framed(
    frame,
    'People',
    'Roles say who may do what. Each change has a reason, and is recorded before it is made.',
    html`${link === undefined ? '' : invited}
      <ul class="rows people">${members.map((member) => personRow(member, frame))}</ul>
      ${frame.person.role === 'owner' ? invite : ''}`,
  );
};

/** What the viewer of a tenant's log is told. */
export interface Viewer {
  readonly script: string;
  readonly log: string;
  readonly token: string;
  readonly vkey: string;
}

export const auditLog = (frame: Frame, { script, log, token, vkey }: Viewer): Html =>
  framed(
    frame,
    'Audit log',
    'Everything that happened here. Your browser checks each line against the key of your log.',
    html`<script type="module" src="${script}"></script>
      <indelible-viewer log="${log}" token="${token}" vkey="${vkey}"></indelible-viewer>`,
  );
