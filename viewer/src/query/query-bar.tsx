import { type KeyboardEvent, type RefObject, useEffect, useId, useState } from 'react';
import type { Stats } from '../../../src/wire/index.ts';
import { queryErrorOf } from '../events/use-events.ts';
import { chipsOf, withoutChip, withTerm } from './chips.ts';
import { type Completion, completionsOf, wordAt } from './completion.ts';
import { type Preset, presets } from './presets.ts';

/** The typed query, and the same query as chips: either changes the other. */
export function QueryBar({
  q,
  stats,
  input,
  onChange,
}: {
  q: string;
  stats: Stats | undefined;
  input: RefObject<HTMLInputElement | null>;
  onChange: (q: string) => void;
}) {
  const [draft, setDraft] = useState(q);
  useEffect(() => setDraft(q), [q]);
  const error = queryErrorOf(draft);
  const commit = (text: string): void => {
    setDraft(text);
    if (queryErrorOf(text) === undefined) onChange(text.trim());
  };
  const errorId = useId();
  return (
    <div className="query">
      <QueryInput
        {...{ draft, stats, input, setDraft, commit }}
        describedBy={error === undefined ? undefined : errorId}
      />
      {error !== undefined && (
        <p id={errorId} className="query-error" role="status">
          {error.message} {error.hint !== undefined && !error.message.includes(error.hint) && error.hint}
        </p>
      )}
      <Chips {...{ q, commit }} />
    </div>
  );
}

interface QueryInputProps {
  readonly draft: string;
  readonly stats: Stats | undefined;
  readonly input: RefObject<HTMLInputElement | null>;
  readonly setDraft: (text: string) => void;
  readonly commit: (text: string) => void;
  readonly describedBy: string | undefined;
}

function QueryInput(props: QueryInputProps) {
  const { draft, input, setDraft, commit, describedBy } = props;
  const listId = useId();
  const { options, active, take, setCaret, setActive, onKeyDown } = useCompletion(props);
  return (
    <div className="query-field">
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Search events"
        aria-expanded={options.length > 0}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `${listId}-${active}` : undefined}
        aria-invalid={describedBy !== undefined}
        aria-describedby={describedBy}
        placeholder="Search: actor:user/u_42  action:role.*  -outcome:success  or any words"
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value);
          setCaret(event.target.selectionStart ?? undefined);
          setActive(-1);
        }}
        onFocus={(event) => setCaret(event.target.value.length)}
        onBlur={() => {
          setCaret(undefined);
          commit(draft);
        }}
        onKeyDown={onKeyDown}
      />
      <kbd>/</kbd>
      <Completions {...{ listId, options, active, take }} />
    </div>
  );
}

/** What the word at the caret may become, and the keys that choose among it. */
function useCompletion({ draft, stats, setDraft, commit }: QueryInputProps) {
  const [caret, setCaret] = useState<number>();
  const [active, setActive] = useState(-1);
  const { start, word } = wordAt(draft, caret ?? draft.length);
  const options = caret === undefined ? [] : completionsOf(word, stats);
  const take = (option: Completion): void => {
    const text = draft.slice(0, start) + option.word + draft.slice(start + word.length);
    setActive(-1);
    setDraft(text);
    const isWhole = option.word.endsWith(' ');
    setCaret(isWhole ? undefined : start + option.word.length);
    if (isWhole) commit(text);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    const chosen = options[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setCaret(event.currentTarget.selectionStart ?? draft.length);
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setActive(Math.min(Math.max(active + step, -1), options.length - 1));
    } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen !== undefined) {
      event.preventDefault();
      take(chosen);
    } else if (event.key === 'Enter') {
      setCaret(undefined);
      commit(draft);
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      if (options.length > 0) setCaret(undefined);
      else event.currentTarget.blur();
    }
  };
  return { options, active, take, setCaret, setActive, onKeyDown };
}

function Completions({
  listId,
  options,
  active,
  take,
}: {
  listId: string;
  options: readonly Completion[];
  active: number;
  take: (option: Completion) => void;
}) {
  return (
    <div
      className="completions"
      id={listId}
      role="listbox"
      aria-label="Completions"
      hidden={options.length === 0}
    >
      {options.map((option, position) => (
        <div
          key={option.label}
          id={`${listId}-${position}`}
          role="option"
          tabIndex={-1}
          aria-selected={position === active}
          onPointerDown={(event) => {
            event.preventDefault();
            take(option);
          }}
        >
          <code>{option.label}</code>
          <span className="muted">{option.note}</span>
        </div>
      ))}
    </div>
  );
}

function Chips({ q, commit }: { q: string; commit: (text: string) => void }) {
  if (queryErrorOf(q) !== undefined) return null;
  const chips = chipsOf(q);
  return (
    <div className="chips">
      {chips.map((chip, position) => (
        <span key={chip.text} className={`chip ${chip.isNegated ? 'negated' : ''}`}>
          <code>{chip.text}</code>
          <button
            type="button"
            aria-label={`Remove the filter ${chip.text}`}
            onClick={() => commit(withoutChip(q, position))}
          >
            ×
          </button>
        </span>
      ))}
      <select
        aria-label="Add a filter"
        value=""
        onChange={(event) => {
          const preset = presets.find(({ name }) => name === event.target.value);
          if (preset !== undefined) commit(withPreset(q, preset));
        }}
      >
        <option value="">+ Filter</option>
        {presets.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      {chips.length > 0 && (
        <button type="button" className="quiet" onClick={() => commit('')}>
          Clear all
        </button>
      )}
    </div>
  );
}

function withPreset(q: string, { terms }: Preset): string {
  return terms().reduce((query, term) => withTerm(query, term), q);
}
