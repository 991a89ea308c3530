// The examples of RFC 9901 itself: every disclosure there, with the digest that the RFC prints for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64urlDecode, base64urlEncode, sha256, utf8Encode } from 'indelible/bytes';
import { digestDisclosure, openEntry, parseDisclosure, parseEntry } from 'indelible/event';
import { sha256Base64url as portable } from '#dist/bytes/sha256-portable.js';
import { sha256Base64url as native } from '#dist/platform/sha256.js';
import { recordSample, sampleEvent } from './sample.ts';

/** Section 5.1: the disclosures of object properties, as JSON text and digest. */
const issuance: readonly (readonly [text: string, digest: string])[] = [
  ['["2GLC42sKQveCfGfryNRN9w", "given_name", "John"]', 'jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4'],
  ['["eluV5Og3gSNII8EYnsxA_A", "family_name", "Doe"]', 'TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo'],
  [
    '["6Ij7tM-a5iVPGboS5tmvVA", "email", "johndoe@example.com"]',
    'JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE',
  ],
  [
    '["eI8ZWm9QnKPpNPeNenHdhQ", "phone_number", "+1-202-555-0101"]',
    'PorFbpKuVu6xymJagvkFsFXAbRoc2JGlAUA2BA4o7cI',
  ],
  [
    '["Qg_O64zqAxe412a108iroA", "phone_number_verified", true]',
    'XQ_3kPKt1XyX7KANkqVR6yZ2Va5NrPIvPYbyMvRKBMM',
  ],
  [
    '["AJx-095VPrpTtN4QMOqROA", "address", {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"}]',
    'XzFrzwscM6Gn6CJDc6vVK8BkMnfG8vOSKfpPIZdAfdE',
  ],
  ['["Pc33JM2LchcU_lHggv_ufQ", "birthdate", "1940-01-01"]', 'gbOsI4Edq2x2Kw-w5wPEzakob9hV1cRD0ATN3oQL9JM'],
  ['["G02NSrQfjFXQ7Io09syajA", "updated_at", 1570000000]', 'CrQe7S5kqBAHt-nMYXgc6bdt2SH5aTY1sU_M-PgkjPI'],
];

/**
 * Section 5.1: the disclosures of array elements, which have no name and which we neither make nor accept.
 */
const elements: readonly (readonly [text: string, digest: string])[] = [
  ['["lklxF5jMYlGTPUovMNIvCA", "US"]', 'pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo'],
  ['["nPuoQnkRFq3BIeAm7AnXFA", "DE"]', '7Cf6JkPudry3lcbwHgeZ8khAv1U1OSlerP0VkBJrWZ0'],
];

/** Appendix A.1: escapes stay escapes, since the digest is over the text and not over what it means. */
const structured: readonly (readonly [text: string, digest: string])[] = [
  [
    '["2GLC42sKQveCfGfryNRN9w", "sub", "6c5c0a49-b589-431d-bae7-219122a9ec2c"]',
    'X6ZAYOII2vPN40V7xExZwVwz7yRmLNcVwt5DL8RLv4g',
  ],
  [
    '["eluV5Og3gSNII8EYnsxA_A", "given_name", "\\u592a\\u90ce"]',
    'ommFAicVT8LGHCB0uywx7fYuo3MHYKO15cz-RZEYM5Q',
  ],
  [
    '["6Ij7tM-a5iVPGboS5tmvVA", "family_name", "\\u5c71\\u7530"]',
    'C9inp6YoRaEXR427zYJP7Qrk1WH_8bdwOA_YUrUnGQU',
  ],
  [
    '["eI8ZWm9QnKPpNPeNenHdhQ", "email", "\\"unusual email address\\"@example.jp"]',
    'Kuet1yAa0HIQvYnOVd59hcViO9Ug6J2kSfqYRBeowvE',
  ],
  [
    '["Qg_O64zqAxe412a108iroA", "phone_number", "+81-80-1234-5678"]',
    's0BKYsLWxQQeU8tVlltM7MKsIRTrEIa1PkJmqxBBf5U',
  ],
  [
    '["AJx-095VPrpTtN4QMOqROA", "street_address", "\\u6771\\u4eac\\u90fd\\u6e2f\\u533a\\u829d\\u516c\\u5712\\uff14\\u4e01\\u76ee\\uff12\\u2212\\uff18"]',
    '6aUhzYhZ7SJ1kVmagQAO3u2ETN2CC1aHheZpKnaF0_E',
  ],
  [
    '["Pc33JM2LchcU_lHggv_ufQ", "locality", "\\u6771\\u4eac\\u90fd"]',
    'rvJd6iq6T5ejmsBMoGwuNXh9qAAFATAci40oidEeVsA',
  ],
  ['["G02NSrQfjFXQ7Io09syajA", "region", "\\u6e2f\\u533a"]', 'PzzcVu0qbMuBGSjulfewzkesD9zutOExn5EWNwkrQ-k'],
  ['["lklxF5jMYlGTPUovMNIvCA", "country", "JP"]', 'uNHoWYhXsZhVJCNE2Dqy-zqt7t69gJKy5QaFv7GrMX4'],
  ['["yytVbdAPGcgl2rI4C9GSog", "birthdate", "1940-01-01"]', 'MMldOFFzB2d0umlmpTIaGerhWdU_PpYfLvKhh_f_9aY'],
];

test('RFC 9901 §5.1 and A.1: the digest of every disclosure', () => {
  for (const [text, digest] of [...issuance, ...elements, ...structured])
    assert.equal(digestDisclosure(text), digest, text);
});

test('RFC 9901 §4.2.1: one claim written in different ways has different digests', () => {
  const salt = '_26bc4LT-ac6q2KI6cBW5es';
  const written = [
    [`["${salt}", "family_name", "Möbius"]`, 'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0'],
    [`["${salt}", "family_name", "M\\u00f6bius"]`, 'BwU3T4PB1Wk6TbA1HUOm9XenJYLZfYtJGn8hMl77zwg'],
    [`["${salt}","family_name","Möbius"]`, 'TZjouOTrBKEwUNjNDs9yeMzBoQn8FFLPaJjRRmAtwrM'],
    [`["${salt}",\n"family_name",\n"Möbius"\n]`, 'yvvttWRyniZr98XJBcIalvoD724RQI4W-JT8lgE8joI'],
  ] as const;
  for (const [text, digest] of written) {
    assert.equal(digestDisclosure(text), digest, text);
    assert.deepEqual(parseDisclosure(text), { salt, name: 'family_name', value: 'Möbius' });
  }
  assert.equal(
    digestDisclosure('["lklxF5jMYlGTPUovMNIvCA", "FR"]'),
    'w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs',
  );
});

test('the digest is the composition that the RFC describes, natively and portably', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      const steps = base64urlEncode(sha256(utf8Encode(base64urlEncode(utf8Encode(text)))));
      assert.equal(native(text), steps);
      assert.equal(portable(text), steps);
      assert.equal(digestDisclosure(text), steps);
    }),
  );
  assert.equal(native('ü'.repeat(40_000)), portable('ü'.repeat(40_000)));
  assert.throws(() => digestDisclosure('\ud800'), { code: 'text_ill_formed' });
});

test('disclosures are read strictly', () => {
  const refused = [
    '',
    '{}',
    'null',
    '["salt","name"]',
    '["salt","name",1,2]',
    '[1,"name",1]',
    '["salt",1,1]',
    '["salt","_sd",1]',
    '["salt","_sd_alg",1]',
    '["salt","...",1]',
    '["salt","name",1]x',
    '["salt","name",{"a":1,"a":2}]',
    '["salt","name",9007199254740993]',
    '["salt","name","\\ud800"]',
  ];
  for (const text of refused) {
    assert.throws(() => parseDisclosure(text), { name: 'VerificationError' }, text);
  }
  for (const [text] of elements) assert.throws(() => parseDisclosure(text), { code: 'malformed_disclosure' });
});

/** An entry that carries the payload of RFC 9901 A.1 as metadata, digests and decoys included. */
function entryAround(payload: object): Uint8Array {
  const { text } = recordSample({
    id: 'rfc',
    action: 'rfc.example',
    actor: sampleEvent.actor,
    metadata: 0,
    clear: ['/metadata'],
  });
  return utf8Encode(text.replace('"metadata":0', `"metadata":${JSON.stringify(payload)}`));
}

test('RFC 9901 A.1: a payload with nested digests and decoys opens to what the RFC says', () => {
  const bytes = entryAround({
    _sd: [
      'C9inp6YoRaEXR427zYJP7Qrk1WH_8bdwOA_YUrUnGQU',
      'Kuet1yAa0HIQvYnOVd59hcViO9Ug6J2kSfqYRBeowvE',
      'MMldOFFzB2d0umlmpTIaGerhWdU_PpYfLvKhh_f_9aY',
      'X6ZAYOII2vPN40V7xExZwVwz7yRmLNcVwt5DL8RLv4g',
      'Y34zmIo0QLLOtdMpXGwjBgLvr17yEhhYT0FGofR-aIE',
      'fyGp0WTwwPv2JDQln1lSiaeobZsMWA10bQ5989-9DTs',
      'ommFAicVT8LGHCB0uywx7fYuo3MHYKO15cz-RZEYM5Q',
      's0BKYsLWxQQeU8tVlltM7MKsIRTrEIa1PkJmqxBBf5U',
    ],
    address: {
      _sd: [
        '6aUhzYhZ7SJ1kVmagQAO3u2ETN2CC1aHheZpKnaF0_E',
        'AzLlFobkJ2xiaupREPyoJz-9-NSldB6Cgjr7fUyoHzg',
        'PzzcVu0qbMuBGSjulfewzkesD9zutOExn5EWNwkrQ-k',
        'b2Dkw0jcIF9rGg8_PF8ZcvncW7zwZj5ryBWvXfrpzek',
        'cPYJHIZ8Vu-f9CCyVub2UfgEk8jvvXezwK1p_JneeXQ',
        'glT3hrSU7fSWgwF5UDZmWwBTw32gnUldIhi8hGVCaV4',
        'rvJd6iq6T5ejmsBMoGwuNXh9qAAFATAci40oidEeVsA',
        'uNHoWYhXsZhVJCNE2Dqy-zqt7t69gJKy5QaFv7GrMX4',
      ],
    },
    exp: 1883000000,
    iat: 1683000000,
    iss: 'https://issuer.example.com',
  });
  const opened = openEntry(
    parseEntry(bytes),
    structured.map(([text]) => text),
    0,
  );
  assert.deepEqual(opened.problems, []);
  assert.deepEqual(opened.event.metadata, {
    sub: '6c5c0a49-b589-431d-bae7-219122a9ec2c',
    given_name: '太郎',
    family_name: '山田',
    email: '"unusual email address"@example.jp',
    phone_number: '+81-80-1234-5678',
    birthdate: '1940-01-01',
    address: {
      street_address: '東京都港区芝公園４丁目２−８',
      locality: '東京都',
      region: '港区',
      country: 'JP',
    },
    exp: 1883000000,
    iat: 1683000000,
    iss: 'https://issuer.example.com',
  });
  // Two decoys at the top and four in the address, and the names of the actor, which were not handed over.
  const decoys = opened.fields.filter(
    (field) => field.disclosure === undefined && field.path.startsWith('/metadata'),
  );
  assert.equal(decoys.length, 6);
});

test('our own disclosures are what the RFC says: base64url, SHA-256, sorted digests, salts of 128 bits', () => {
  const { entry, disclosures } = recordSample(sampleEvent);
  const own = disclosures.filter((text) => ['reason', 'context'].includes(parseDisclosure(text).name));
  assert.equal(own.length, 2);
  for (const text of own) {
    const { salt } = parseDisclosure(text);
    assert.equal(base64urlDecode(salt).length, 16);
    assert.ok(entry._sd?.includes(digestDisclosure(text)));
  }
  assert.deepEqual(entry._sd, [...(entry._sd ?? [])].sort());
  assert.equal(entry['_sd_alg'], 'sha-256');
});
