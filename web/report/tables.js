// Tables: each scrolls within its own box, so that the page never does; its first column names the row and stays in sight.

const narrowColumnsMax = 4;  // such a table is no wider than it needs
const wordyColumns = 22;     // of text, from which a column is kept from becoming narrow and tall

// Of a terminal: wide characters take two.
const textColumns = (text) => [...text].reduce((sum, c) => sum + (c.codePointAt(0) >= 0x1100 ? 2 : 1), 0);

// A unit stays with the word before it: "E2E mean, s".
const unbroken = (text) => text.replace(/([,，]) ?(\S{1,5})$/, (_, comma, unit) => comma + (comma === ',' ? '\u00a0' : '\u2060') + unit);

function makeTable(table, headingLevel) {
  const titleId = 'table-' + table.id;
  const isWordy = (i) => table.rows.some((row) => i < row.length && textColumns(pick(row[i])) > wordyColumns);
  const classes = table.columns.map((_, i) => [table.figure_columns[i] && 'figure', isWordy(i) && 'wordy'].filter(Boolean).join(' ') || null);
  const cell = (text, i) => i === 0
    ? make('th', {scope: 'row', class: classes[i]}, text)
    : make('td', {class: classes[i]}, text);
  const head = make('tr', {}, table.columns.map((column, i) => make('th', {scope: 'col', class: classes[i]}, unbroken(pick(column)))));
  const rows = table.rows.map((row) => make('tr', {}, row.map((text, i) => cell(pick(text), i))));
  return make('div', {class: 'table'},
    make(headingLevel, {id: titleId}, pick(table.title)),
    rows.length === 0
      ? make('p', {class: 'notes'}, word('emptyTable'))
      : make('div', {class: 'scroll', role: 'region', tabindex: '0', 'aria-labelledby': titleId},
        make('table', {'aria-labelledby': titleId, class: table.columns.length <= narrowColumnsMax ? 'narrow' : null}, make('thead', {}, head), make('tbody', {}, rows))),
    makeNotes(table.notes));
}

function makeNotes(notes) {
  return notes.length === 0 ? null : make('ul', {class: 'notes'}, notes.map((note) => make('li', {}, pick(note))));
}
