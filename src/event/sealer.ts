import { canonicalize, canonicalString, type JsonObject, parseCanonicalJson } from '../bytes/index.ts';
import { SALT_CHARACTERS } from './disclosure.ts';
import { addField, digestHole, type Group, groupHole } from './draft.ts';
import { type Path, pointerTo } from './refusal.ts';
import { limits } from './rules.ts';
import { type PlanNode, unreachable } from './seal-plan.ts';
import { exceeds, tooLarge } from './value.ts';

/** A disclosure is `["<salt>",name,value]`. */
const DISCLOSURE_FRAME_BYTES = '["",,]'.length + SALT_CHARACTERS;

/**
 * One field of an object under way: sealed, with its canonical value, or open, written when its turn comes.
 */
export type Member =
  | {
      readonly name: string;
      readonly path: Path;
      readonly sealed: string;
      readonly node?: PlanNode | undefined;
    }
  | { readonly name: string; readonly write: () => string };

/** A value that `seals` name: its place in the draft is known once it has been written. */
interface SealedHere {
  readonly pointer: string;
  readonly subjects: readonly string[];
  readonly position: number;
}

/**
 * Seals the values of one event into a draft. Fields are numbered as they are sealed, and a draft numbers
 * them as they stand in its text: so whoever writes an object has to seal and write its members in canonical
 * order.
 */
export class Sealer {
  /** How many fields have been sealed. */
  fields = 0;
  readonly #named: SealedHere[] = [];

  /** Adds a value to its object's group. `name` and `value` are canonical JSON; `path` leads to the value. */
  seal(group: Group, name: string, value: string, path: Path, node?: PlanNode | undefined): void {
    const bytesMax = limits.disclosureBytesMax - DISCLOSURE_FRAME_BYTES;
    if (value.length + name.length > bytesMax / 3 && exceeds(name + value, bytesMax)) throw tooLarge(path);
    if (node?.subjects !== undefined) {
      node.found = true;
      this.#named.push({ pointer: pointerTo(path), subjects: node.subjects, position: this.fields });
    }
    addField(group, name, value);
    this.fields += 1;
  }

  /**
   * Writes a value that `clear` or `seals` reach into, given as canonical JSON. Within it, what `seals` name
   * is sealed; the rest stays open where an enclosing value is named in `clear`, and is sealed value by value
   * where not.
   */
  open(text: string, node: PlanNode, path: Path, isClear = false): string {
    node.found = true;
    if (node.children.size === 0) return text;
    const value = parseCanonicalJson(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreachable(node);
    const isOpen = isClear || node.mark === 'clear';
    return this.object(
      Object.keys(value).map((name) => {
        const member = canonicalize((value as JsonObject)[name]!);
        return this.member({
          name,
          text: member,
          node: node.children.get(name),
          path: [...path, name],
          isClear: isOpen,
        });
      }),
    );
  }

  /** A value as a member of the object around it: sealed or open, as the plan says. */
  member({
    name,
    text,
    node,
    path,
    isClear,
  }: {
    readonly name: string;
    readonly text: string;
    readonly node: PlanNode | undefined;
    readonly path: Path;
    readonly isClear: boolean;
  }): Member {
    const isSealed = node === undefined ? !isClear : node.mark === 'seal';
    if (isSealed) return { name, path, sealed: text, node };
    return { name, write: () => (node === undefined ? text : this.open(text, node, path, isClear)) };
  }

  /**
   * Writes an object out of its members, which come in canonical order; `_sd` has its own place among them.
   */
  object(members: readonly Member[]): string {
    const parts: string[] = [];
    const writeOpen = (isEarly: boolean): void => {
      for (const member of members) {
        if ('write' in member && member.name < '_sd' === isEarly) {
          parts.push(`${canonicalString(member.name)}:${member.write()}`);
        }
      }
    };
    writeOpen(true);
    const group: Group = { count: 0, fields: '' };
    for (const member of members) {
      if ('sealed' in member)
        this.seal(group, canonicalString(member.name), member.sealed, member.path, member.node);
    }
    if (group.count > 0) parts.push(`"_sd":[${groupHole(group)}]`);
    writeOpen(false);
    return `{${parts.join(',')}}`;
  }

  /** The entry's `seals`, sorted by path; undefined if there are none. */
  namedText(): string | undefined {
    if (this.#named.length === 0) return undefined;
    const items = this.#named
      .toSorted((a, b) => (a.pointer < b.pointer ? -1 : 1))
      .map(
        ({ pointer, subjects, position }) =>
          `{"digest":${digestHole(position)},"path":${canonicalString(pointer)},"subjects":${canonicalize(subjects)}}`,
      );
    return `[${items.join(',')}]`;
  }
}
