// The colours of the viewer against WCAG 2.2: text 4.5 to 1, borders of fields and the ring of the focus 3 to 1.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

const css = readFileSync(path.resolve(import.meta.dirname, '../../viewer/src/styles/viewer.css'), 'utf8');

/** The value of a variable in one theme, as `#rrggbb`. */
function colour(name: string, theme: 'light' | 'dark'): string {
  const [, light, dark] =
    new RegExp(`--${name}:[^;]*light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css) ?? [];
  assert.ok(light && dark, `--${name} is not a pair of colours`);
  return theme === 'light' ? light : dark;
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [lighter = 0, darker = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

const grounds = ['ground', 'surface', 'raised', 'accent-ground'];
const pairs: readonly (readonly [text: string, grounds: readonly string[], atLeast: number])[] = [
  ['text', [...grounds, 'red-ground', 'green-ground'], 4.5],
  ['muted', grounds, 4.5],
  ['accent', grounds, 4.5],
  ['red', [...grounds, 'red-ground'], 4.5],
  ['amber', grounds, 4.5],
  ['green', [...grounds, 'green-ground'], 4.5],
  ['on-accent', ['accent'], 4.5],
  ['line-strong', ['ground', 'surface'], 3],
];

for (const theme of ['light', 'dark'] as const) {
  test(`text and controls have contrast enough: ${theme}`, () => {
    for (const [text, behind, atLeast] of pairs) {
      for (const ground of behind) {
        const found = contrast(colour(text, theme), colour(ground, theme));
        assert.ok(found >= atLeast, `${text} on ${ground}: ${found.toFixed(2)}`);
      }
    }
  });
}

test('black on white is 21 to 1', () => {
  assert.equal(contrast('#000000', '#ffffff'), 21);
});

test('the focus is drawn and nowhere taken from a control, and motion stops for whoever asked for less', () => {
  assert.match(css, /:focus-visible \{\s*outline: 2px solid var\(--accent\)/);
  const without = [...css.matchAll(/([^{}]+)\{[^{}]*outline: none/g)].map(([, selector]) => selector?.trim());
  assert.deepEqual(without, ['.drawer:focus'], 'only the drawer, which takes the focus but is no control');
  assert.match(css, /prefers-reduced-motion: reduce\) \{\s*\* \{\s*animation: none !important/);
});
