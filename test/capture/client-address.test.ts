import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressRule } from '#dist/capture/client-address.js';

const proxies = { trustedProxies: ['10.0.0.0/8', '2001:db8:ffff::/48'] };
const peer = '10.0.0.1';

describe('attack 36: whose address it is', () => {
  const cases: Record<
    string,
    [options: object, peer: string | undefined, header: string | undefined, ip: string | undefined]
  > = {
    'nobody is trusted': [{}, '203.0.113.1', '198.51.100.1', '203.0.113.1'],
    'the peer is no proxy': [proxies, '203.0.113.1', '198.51.100.1', '203.0.113.1'],
    'one proxy': [proxies, peer, '198.51.100.1', '198.51.100.1'],
    'what the client wrote stands further left': [proxies, peer, '127.0.0.1, 198.51.100.1', '198.51.100.1'],
    'two proxies': [proxies, peer, '1.1.1.1, 198.51.100.1, 10.2.3.4', '198.51.100.1'],
    'proxies alone': [proxies, peer, '10.2.3.4, 10.2.3.5', '10.2.3.4'],
    'no header': [proxies, peer, undefined, peer],
    'a hop that cannot be read': [proxies, peer, '198.51.100.1, unknown', peer],
    'a hop that cannot be read, behind a proxy': [proxies, peer, 'x, 10.9.9.9', '10.9.9.9'],
    'an empty header': [proxies, peer, '', peer],
    'with a port': [proxies, peer, '198.51.100.1:4711', '198.51.100.1'],
    'IPv6 with a port': [proxies, peer, '[2001:db8::7]:4711', '2001:db8::7'],
    'IPv6 proxy': [proxies, '2001:db8:ffff::1', '2001:db8::7', '2001:db8::7'],
    'IPv4 within IPv6': [proxies, '::ffff:10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
    'one hop': [{ trustedProxies: 1 }, '203.0.113.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    'two hops': [{ trustedProxies: 2 }, '203.0.113.1', '1.1.1.1, 198.51.100.1, 10.0.0.7', '198.51.100.1'],
    'fewer hops than proxies': [{ trustedProxies: 2 }, '203.0.113.1', '198.51.100.1', '203.0.113.1'],
    'a socket without address': [{ trustedProxies: 1 }, undefined, '198.51.100.1', '198.51.100.1'],
    'thousands of hops': [proxies, peer, `${'10.1.1.1,'.repeat(5000)}10.1.1.1`, '10.1.1.1'],
  };
  for (const [name, [options, from, header, ip]] of Object.entries(cases)) {
    test(name, () => assert.equal(new AddressRule(options).addressOf(from, header), ip));
  }
  const forwarded = { ...proxies, forwardedHeader: 'forwarded' as const };
  const standard: Record<string, [header: string, ip: string]> = {
    'Forwarded (RFC 7239)': ['for=1.1.1.1, for=198.51.100.1;proto=https;by=10.0.0.1', '198.51.100.1'],
    'in quotes': ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    'an open quote of the client': ['for="1.1.1.1, for=198.51.100.1', '198.51.100.1'],
    obfuscated: ['for=_hidden', peer],
    'X-Forwarded-For is not its form': ['198.51.100.1', peer],
  };
  for (const [name, [header, ip]] of Object.entries(standard)) {
    test(name, () => assert.equal(new AddressRule(forwarded).addressOf(peer, header), ip));
  }
  test('options that cannot be', () => {
    for (const options of [
      { trustedProxies: -1 },
      { trustedProxies: 'all' },
      { forwardedHeader: 'x-real-ip' },
    ]) {
      assert.throws(() => new AddressRule(options as never), { code: 'option_invalid' });
    }
  });
});
