import { type Path, parsePointer, pointerTo, refusal } from './refusal.ts';
import { eventFields, isReservedName, type ListRule, sealedFieldNames, type TextRule } from './rules.ts';
import { checkList, checkText, missingField, ownNames, unknownField } from './value.ts';

/**
 * What the caller's `clear` and `seals` say, as a tree of names. A node with a mark is a value that they
 * name; a node without one only leads to such values, and what stands beside those on the way is sealed,
 * value by value.
 */
export interface PlanNode {
  /** Where the caller named this value, as a path into the event: `['seals', 1, 'path']`. */
  readonly namedAt: Path;
  mark?: 'clear' | 'seal';
  /** With the mark `seal`: whose the value is. */
  subjects?: readonly string[];
  readonly children: Map<string, PlanNode>;
  /** Whether the event has a value here. */
  found: boolean;
}

/**
 * Reads `clear` and `seals`; undefined if neither says anything. `subject` checks one subject and may rewrite
 * its id.
 */
export function readPlan(
  clear: unknown,
  seals: unknown,
  subject: (value: unknown, path: Path) => string,
): PlanNode | undefined {
  const root = newNode([]);
  if (clear !== undefined) {
    const rule: ListRule = eventFields.clear.rule;
    for (const [index, pointer] of checkList(clear, rule.elementsMax, ['clear']).entries()) {
      markNode(root, pointer, ['clear', index]).mark = 'clear';
    }
  }
  if (seals !== undefined) {
    for (const [index, seal] of checkList(seals, eventFields.seals.rule.elementsMax, ['seals']).entries()) {
      readSeal(root, seal, ['seals', index], subject);
    }
  }
  if (root.children.size === 0) return undefined;
  refuseNested(root);
  return root;
}

/**
 * Refuses a plan that names a value which the event did not have: a slip there would seal it otherwise than
 * was meant.
 */
export function checkFound(node: PlanNode): void {
  if (!node.found && node.mark !== undefined) {
    throw refusal(
      'seal_path_invalid',
      node.namedAt,
      'names a value that this event does not have',
      'Correct the path, or leave it out for this event.',
    );
  }
  for (const child of node.children.values()) checkFound(child);
}

/** The refusal of a path that leads where sealing cannot follow. */
export function unreachable(node: PlanNode): Error {
  let named = node;
  while (named.mark === undefined) named = named.children.values().next().value!;
  return refusal(
    'seal_path_invalid',
    named.namedAt,
    'must lead through objects only, to a value that is there',
    'A list is sealed whole, and so is a text or a number.',
  );
}

function readSeal(
  root: PlanNode,
  seal: unknown,
  path: Path,
  subject: (value: unknown, path: Path) => string,
): void {
  const { fields, hint } = eventFields.seals.rule.items;
  for (const name of ownNames(seal, path, hint)) {
    if (!Object.hasOwn(fields, name)) throw unknownField(name, Object.keys(fields), path);
  }
  const { path: pointer, subjects } = seal as { path?: unknown; subjects?: unknown };
  if (pointer === undefined) throw missingField('path', path, hint);
  if (subjects === undefined) throw missingField('subjects', path, hint);
  const node = markNode(root, pointer, [...path, 'path']);
  const subjectsPath = [...path, 'subjects'];
  node.mark = 'seal';
  node.subjects = checkList(subjects, fields.subjects.elementsMax, subjectsPath).map((value, index) =>
    subject(value, [...subjectsPath, index]),
  );
}

/**
 * The node for `pointer`, made with all that lead to it, if a value may stand there that can be sealed at
 * all.
 */
function markNode(root: PlanNode, pointer: unknown, namedAt: Path): PlanNode {
  const rule: TextRule = eventFields.seals.rule.items.fields.path;
  const steps = parsePointer(checkText(pointer, rule, namedAt)) ?? [];
  const complaint = complaintAbout(steps);
  if (complaint !== undefined) {
    throw refusal(
      'seal_path_invalid',
      namedAt,
      complaint,
      `Name an attribute of the actor or a target, or a value in ${sealedFieldNames.join(', ')}.`,
    );
  }
  let node = root;
  for (const step of steps) {
    let child = node.children.get(step);
    if (child === undefined) {
      child = newNode(namedAt);
      node.children.set(step, child);
    }
    node = child;
  }
  if (node.mark === undefined) return node;
  throw refusal(
    'seal_path_invalid',
    namedAt,
    'is named twice',
    'Name each value once, in clear or in seals.',
  );
}

function complaintAbout(steps: readonly string[]): string | undefined {
  const [field = '', ...rest] = steps;
  if (steps.some(isReservedName)) return 'must not use a name that sealing uses itself';
  if ((sealedFieldNames as readonly string[]).includes(field)) return undefined;
  const attribute = attributeSteps(field, rest);
  if (attribute === undefined) return 'names a field that is never sealed';
  if (attribute.length === 0) return 'must name an attribute, not the whole of an actor or target';
  return ['type', 'id', 'onBehalfOf'].includes(attribute[0]!)
    ? 'names a field that is never sealed'
    : undefined;
}

/** The steps from an actor or target onwards, or undefined if the path leads to neither. */
function attributeSteps(field: string, rest: readonly string[]): readonly string[] | undefined {
  if (field === 'actor') return rest[0] === 'onBehalfOf' ? rest.slice(1) : rest;
  if (field === 'targets') return /^(?:0|[1-9]\d?)$/.test(rest[0] ?? '') ? rest.slice(1) : [];
  return undefined;
}

/**
 * A sealed value is one disclosure, and disclosures do not nest (spec/sealing.md): nothing inside it can be
 * named again.
 */
function refuseNested(node: PlanNode): void {
  for (const child of node.children.values()) {
    const inner = child.children.values().next().value;
    if (child.mark === 'seal' && inner !== undefined) {
      throw refusal(
        'seal_path_invalid',
        inner.namedAt,
        'must not lie inside a value that seals names as a whole',
        `Name only one of the two; ${pointerTo(child.namedAt)} holds it already.`,
      );
    }
    refuseNested(child);
  }
}

function newNode(namedAt: Path): PlanNode {
  return { namedAt, children: new Map(), found: false };
}
