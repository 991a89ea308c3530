// A NestJS 11 application that records who did what: its own events, and every call that changes something.
//
//     node examples/capture-nestjs.ts data/audit 4040
//
// Decorators are called as functions here, because Node runs this file without compiling it. In a project of yours they stand where
// they always do: `@Audited('invoice.voided') @Post('/invoices/:id/void')`.

import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Controller, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { openLog } from 'indelible';
import { Audited, AuditModule } from 'indelible/nestjs';

const [dir = 'data/audit', port = '4040'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/audit' } });

class Invoices {
  voidInvoice(id: string) {
    return { voided: id };
  }
}
const method = Object.getOwnPropertyDescriptor(Invoices.prototype, 'voidInvoice')!;
Controller()(Invoices);
Post('/invoices/:id/void')(Invoices.prototype, 'voidInvoice', method);
Param('id')(Invoices.prototype, 'voidInvoice', 0);
Audited('invoice.voided', ({ params }) => ({ targets: [{ type: 'invoice', id: String(params['id']) }] }))(
  Invoices.prototype,
  'voidInvoice',
  method,
);

const audit = AuditModule.forRoot({
  log,
  actor: ({ headers }) =>
    typeof headers['x-user'] === 'string' ? { type: 'user', id: headers['x-user'] } : undefined,
  calls: { body: ['reason'], skip: ['/health'] },
});
class App {}
Module({ imports: [audit], controllers: [Invoices] })(App);

const app = await NestFactory.create(App, { logger: false, forceCloseConnections: true });
await app.listen(Number(port), '127.0.0.1');
console.log(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`);

process.once('SIGTERM', async () => {
  await app.close();
  await log.close();
});
