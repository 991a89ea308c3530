import assert from 'node:assert/strict';
import { test } from 'node:test';
import { misuse, misuseCodes, VerificationError, verificationCodes } from 'indelible/bytes';

test('codes are lower snake case, each in one list, once', () => {
  const codes = [...verificationCodes, ...misuseCodes];
  for (const code of codes) assert.match(code, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
  assert.equal(new Set(codes).size, codes.length);
});

test('a VerificationError carries code, frozen details and cause', () => {
  const cause = new Error('inner');
  const details = { position: 3 };
  const error = new VerificationError('malformed_hex', 'Not hexadecimal.', details, { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'VerificationError');
  assert.equal(error.code, 'malformed_hex');
  assert.equal(error.cause, cause);
  details.position = 4;
  assert.deepEqual(error.details, { position: 3 });
  assert.ok(Object.isFrozen(error.details));
  assert.match(`${error}`, /^VerificationError: Not hexadecimal\.$/);
});

test('misuse is a TypeError or a RangeError with a code', () => {
  const type = misuse('type', 'value_not_json', 'No.');
  const range = misuse('range', 'size_out_of_range', 'No.');
  assert.ok(type instanceof TypeError && !(type instanceof RangeError));
  assert.ok(range instanceof RangeError);
  assert.deepEqual([type.code, range.code], ['value_not_json', 'size_out_of_range']);
});
