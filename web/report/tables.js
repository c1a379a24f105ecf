// Tables: each scrolls within its own box, so that the page never does; its first column names the row and stays in sight.

const narrowColumnsMax = 4;  // such a table is no wider than it needs
const wordyColumns = 22;     // of text, from which a column is kept from becoming narrow and tall

// Of a terminal: wide characters take two.
const textColumns = (text) => [...text].reduce((sum, c) => sum + (c.codePointAt(0) >= 0x1100 ? 2 : 1), 0);

// A unit stays with the word before it: "E2E mean, s".
const unbroken = (text) => text.replace(/([,，]) ?(\S{1,5})$/, (_, comma, unit) => comma + (comma === ',' ? '\u00a0' : '\u2060') + unit);

// "0.40 (0.38 – 0.50)" may be cut before its bracket only.
const whole = (text) => text.split(/(\(.*\))/).map((part) => part.startsWith('(') ? make('span', {class: 'whole'}, part) : part);

// "TTFT s · hussar: SmolLM2, 2 cores" says whose figure it is; an owner that neighbours share stands once, above them.
function makeHead(columns, classes) {
  const parts = columns.map((text) => text.split(/ · (.*)/s, 2));
  const owner = (i) => parts[i]?.[1];
  const shared = (i) => owner(i) !== undefined && (owner(i) === owner(i - 1) || owner(i) === owner(i + 1));
  const head = (text, i, rows) => make('th', {scope: 'col', rowspan: rows, class: classes[i]}, unbroken(text));
  if (!columns.some((_, i) => shared(i))) return make('thead', {}, make('tr', {}, columns.map((text, i) => head(text, i, null))));
  const above = [];
  for (let i = 0, span; i < columns.length; i += span) {
    for (span = 1; shared(i) && owner(i + span) === owner(i);) span++;
    above.push(shared(i)
      ? make('th', {scope: 'colgroup', colspan: span, class: 'owner'}, owner(i))
      : head(columns[i], i, 2));
  }
  return make('thead', {}, make('tr', {}, above), make('tr', {}, columns.map((_, i) => shared(i) ? head(parts[i][0], i, null) : null)));
}

function makeTable(table, headingLevel) {
  const titleId = 'table-' + table.id;
  const isFigure = (i) => table.figure_columns[i] === true;
  const isWordy = (i) => table.rows.some((row) => i < row.length && textColumns(pick(row[i])) > wordyColumns);
  const isRange = (i) => isFigure(i) && table.rows.some((row) => i < row.length && pick(row[i]).includes(' ('));
  const classes = table.columns.map((_, i) =>
    [isFigure(i) ? 'figure' : isFigure(i - 1) && 'after', isRange(i) ? 'range' : isWordy(i) && 'wordy'].filter(Boolean).join(' ') || null);
  const cell = (text, i) => i === 0
    ? make('th', {scope: 'row', class: classes[i]}, text)
    : make('td', {class: classes[i]}, isRange(i) ? whole(text) : text);
  const rows = table.rows.map((row) => make('tr', {}, row.map((text, i) => cell(pick(text), i))));
  return make('div', {class: 'table'},
    make(headingLevel, {id: titleId}, pick(table.title)),
    rows.length === 0
      ? make('p', {class: 'notes'}, word('emptyTable'))
      : make('div', {class: 'scroll', role: 'region', tabindex: '0', 'aria-labelledby': titleId},
        make('table', {'aria-labelledby': titleId, class: table.columns.length <= narrowColumnsMax ? 'narrow' : null}, makeHead(table.columns.map(pick), classes), make('tbody', {}, rows))),
    makeNotes(table.notes));
}

function makeNotes(notes) {
  return notes.length === 0 ? null : make('ul', {class: 'notes'}, notes.map((note) => make('li', {}, pick(note))));
}
