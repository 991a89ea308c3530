import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Controller,
  ForbiddenException,
  Get,
  HttpCode,
  Inject,
  Module,
  Param,
  Post,
  Redirect,
  Res,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Audited, AuditModule, AuditService } from 'indelible/nestjs';
import { expectRecorded, openMemoryLog, recordedEvents } from 'indelible/testing';
import { type AppOptions, frameworkSuite } from './framework-suite.ts';

interface Answer {
  write(part: string): void;
  end(part?: string): void;
}

/** Decorates a method as `@decorator` would: this file's types are stripped, and decorators are not types. */
function decorate(type: { prototype: object }, name: string, ...decorators: MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name)!;
  for (const decorator of decorators.reverse()) decorator(type.prototype, name, descriptor);
}

function decorateParameter(type: { prototype: object }, name: string, decorator: ParameterDecorator): void {
  decorator(type.prototype, name, 0);
}

/** The controller of the suite, and what makes NestJS see it. */
function controller() {
  class Invoices {
    readonly audit: AuditService;

    constructor(audit: AuditService) {
      this.audit = audit;
    }

    async voidInvoice() {
      await sleep(10);
      await this.audit.record({ action: 'invoice.voided' });
      return {};
    }
    show() {
      return 'here';
    }
    denied() {
      throw new ForbiddenException();
    }
    healthy() {
      return 'yes';
    }
    broken() {
      throw new Error('secret-detail');
    }
    moved() {}
    async streamed(response: Answer) {
      for (const part of ['one ', 'two ', 'three']) {
        response.write(part);
        await sleep(5);
      }
      response.end();
    }
    async slow() {
      await sleep(1000);
      return 'late';
    }
    marked(id: string) {
      if (id === 'in_0') throw new ForbiddenException();
      return { id };
    }
  }
  Controller()(Invoices);
  Inject(AuditService)(Invoices, undefined, 0);
  decorate(Invoices, 'voidInvoice', Post('/orgs/:org/invoices/:id'), HttpCode(201));
  decorate(Invoices, 'show', Get('/orgs/:org/invoices/:id'));
  decorate(Invoices, 'denied', Post('/denied'));
  decorate(Invoices, 'healthy', Post('/healthy'));
  decorate(Invoices, 'broken', Post('/broken'));
  decorate(Invoices, 'moved', Post('/moved'), Redirect('/elsewhere', 303));
  decorate(Invoices, 'streamed', Post('/streamed'));
  decorateParameter(Invoices, 'streamed', Res());
  decorate(Invoices, 'slow', Post('/slow'));
  decorateParameter(Invoices, 'marked', Param('id'));
  decorate(
    Invoices,
    'marked',
    Post('/marked/:id'),
    Audited('invoice.sent', (request) => ({
      targets: [{ type: 'invoice', id: String(request.params['id']) }],
    })),
  );
  return Invoices;
}

async function start(options: AppOptions) {
  class App {}
  Module({
    imports: [
      AuditModule.forRoot({
        ...options,
        actor: (request) => {
          const user = request.headers['x-user'];
          return typeof user === 'string' ? { type: 'user', id: user } : undefined;
        },
      }),
    ],
    controllers: [controller()],
  })(App);
  const app = await NestFactory.create(App, { logger: false, forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => app.close() };
}

frameworkSuite('NestJS 11', start);

test('a handler that is marked is recorded before its answer, with how it ended', async (t) => {
  const log = await openMemoryLog();
  const app = await start({ log });
  t.after(() => app.close());
  const post = (id: string) =>
    fetch(`${app.url}/marked/${id}`, { method: 'POST', headers: { 'x-user': 'u_1' } });
  assert.equal((await post('in_7')).status, 201);
  const [event] = await recordedEvents(log);
  assert.equal(event?.action, 'invoice.sent', 'it is there when the answer is');
  await expectRecorded(log, {
    action: 'invoice.sent',
    actor: 'user/u_1',
    targets: ['invoice/in_7'],
    outcome: 'success',
  });
  assert.equal((await post('in_0')).status, 403);
  await expectRecorded(
    log,
    { action: 'invoice.sent', targets: ['invoice/in_0'], outcome: 'denied' },
    { times: 1 },
  );
  await log.close();
  assert.equal((await post('in_8')).status, 500, 'what cannot be recorded fails');
});
