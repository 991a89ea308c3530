// Sign-ins of Passport in a log, with Express and a session.
//
//     node examples/passport.ts audit
//
// It serves on a port of loopback, signs in once wrongly and once rightly, signs out, and prints what the log has.

import type { AddressInfo } from 'node:net';
import express from 'express';
import session from 'express-session';
import { openLog } from 'indelible';
import { auditPassport } from 'indelible/passport';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';

const [dir = 'audit'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/auth' }, warn: () => {} });

const passport = auditPassport(new Passport(), { recorder: log });
passport.use(
  new Strategy((_name, password, done) => done(null, password === 'correct horse' && { id: 'u_1' })),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user: Express.User, done) => done(null, user));

const app = express();
app.use(express.urlencoded());
app.use(session({ secret: 'an example, and no secret at all', resave: false, saveUninitialized: false }));
app.use(passport.session());
app.post('/login', passport.authenticate('local'), (_request, response) => void response.send('in'));
app.post('/logout', (request, response, next) => {
  request.logout((error) => (error ? next(error) : response.send('out')));
});

const server = app.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const post = (path: string, words: Record<string, string>, cookie = '') =>
    fetch(origin + path, { method: 'POST', headers: { cookie }, body: new URLSearchParams(words) });
  await post('/login', { username: 'ada', password: 'wrong horse' });
  const answer = await post('/login', { username: 'ada', password: 'correct horse' });
  await post('/logout', {}, answer.headers.getSetCookie()[0]?.split(';')[0]);
  const lines: string[] = [];
  for await (const event of log.query('-action:log.* -action:source.*'))
    lines.unshift(`${event.action} ${event.outcome}`);
  console.log(lines.join('\n'));
  server.close();
  server.closeAllConnections();
  await log.close();
});
