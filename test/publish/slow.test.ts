// A server that lets readers wait: no file may be slow for ever, nor all of them together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpTiles } from 'indelible/publish';

/** Tiles over answers that are made here, and a clock that is set here. */
function tilesOf(
  answer: (signal: AbortSignal, wait: (ms: number) => void) => Response | Promise<Response>,
  timeoutMs = 30_000,
) {
  const clock = { ms: 0 };
  const wait = (ms: number): void => {
    clock.ms += ms;
  };
  let asked = 0;
  const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
    asked += 1;
    return answer(init!.signal!, wait);
  };
  const options = { timeoutMs, fetch: fetch as typeof globalThis.fetch };
  const tiles = HttpTiles.open('https://log.example/', options, () => clock.ms);
  return { tiles, clock, wait, asked: () => asked };
}

const slow = { code: 'unreachable', retryable: true, message: /less than one file a second/ };

test('files that are each in time, and together too slow, end it', async () => {
  const { tiles, clock, asked } = tilesOf((_, wait) => {
    wait(20_000);
    return new Response('x');
  });
  await tiles.read('a', 100);
  await assert.rejects(tiles.read('b', 100), slow);
  assert.deepEqual([asked(), clock.ms], [2, 40_000]);
});

test('bytes that drip end it within the file', async () => {
  let sent = 0;
  const { tiles, clock } = tilesOf((_, wait) => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        wait(1000);
        sent += 1;
        controller.enqueue(new Uint8Array(1));
      },
    });
    return new Response(body);
  });
  await assert.rejects(tiles.read('a', 10_000), slow);
  assert.ok(sent <= 32 && clock.ms <= 32_000, `${sent} bytes in ${clock.ms} ms`);
});

test('a file a second, or its bytes, are enough however many there are; a pause is forgiven later', async () => {
  const { tiles, clock, asked } = tilesOf((_, later) => {
    later(900);
    return new Response('x');
  });
  for (let at = 0; at < 200; at += 1) await tiles.read(`${at}`, 100);
  assert.deepEqual([asked(), clock.ms], [200, 180_000]);
  const bytes = new Uint8Array(2_620_000);
  const wide = tilesOf((_, later) => {
    later(9_000);
    return new Response(bytes);
  });
  for (let at = 0; at < 20; at += 1) await wide.tiles.read(`${at}`, bytes.length);
  const pausing = tilesOf((_, later) => {
    later(25_000);
    return new Response('x');
  });
  await pausing.tiles.read('a', 100);
  pausing.wait(25_000);
  await pausing.tiles.read('b', 100);
});

test('files that are waited for at once are waited for once', async () => {
  const { tiles } = tilesOf(async (_, wait) => {
    wait(1_500);
    return new Response('x');
  });
  // 16 at once are there after 24 seconds, which would be six minutes one by one.
  await Promise.all(Array.from({ length: 16 }, (_, at) => tiles.read(`${at}`, 100)));
});

test('once it was too slow, whoever asks again waits anew', async () => {
  let ms = 40_000;
  const { tiles } = tilesOf((_, wait) => {
    wait(ms);
    return new Response('x');
  });
  await assert.rejects(tiles.read('a', 100), slow);
  ms = 10_000;
  assert.equal((await tiles.read('a', 100))?.length, 1);
});

test('the timeout of a file ends a body that never does, also where nothing else would', async () => {
  const { tiles } = tilesOf(
    () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
    30,
  );
  await assert.rejects(tiles.read('a', 100), { code: 'unreachable', message: /longer than 30 ms/ });
});
