import { fit, type Painter, type Showable, type Shown, show, toShown } from './terminal.ts';

/** One column of a table: its title, the most columns of the terminal that it may take, and which side it keeps to. */
export interface Column {
  readonly title: string;
  readonly width_max?: number;
  readonly align?: 'left' | 'right';
}

const gap = show`  `;

function pad(cell: Shown, width: number, align: 'left' | 'right'): Shown {
  const space = ' '.repeat(Math.max(0, width - cell.width));
  return align === 'right' ? show`${space}${cell}` : show`${cell}${space}`;
}

function join(cells: readonly Shown[], columns: readonly Column[], widths: readonly number[]): Shown {
  let line = show``;
  cells.forEach((cell, place) => {
    const last = place === cells.length - 1;
    const align = columns[place]?.align ?? 'left';
    const padded = last && align === 'left' ? cell : pad(cell, widths[place] ?? 0, align);
    line = place === 0 ? padded : show`${line}${gap}${padded}`;
  });
  return line;
}

/** The lines of a table with a dim head. Cells are cut to their column's width, never wrapped. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Showable[])[],
  paint: Painter,
): Shown[] {
  const cells = rows.map((row) =>
    row.map((cell, place) => {
      const most = columns[place]?.width_max;
      return most === undefined || typeof cell !== 'string' ? toShown(cell) : fit(cell, most);
    }),
  );
  const widths = columns.map((column, place) =>
    cells.reduce((most, row) => Math.max(most, row[place]?.width ?? 0), column.title.length),
  );
  const head = columns.map((column) => paint('dim', column.title));
  return [join(head, columns, widths), ...cells.map((row) => join(row, columns, widths))];
}
