// The page from top to bottom, drawn anew in the other language when that is chosen.

const report = JSON.parse(byId('data').textContent);

function setLanguage(language) {
  remember('lang', choices.language = language);
  showPage();
}

function setTheme(theme) {
  remember('theme', choices.theme = theme);
  applyTheme();
  showChoices();
  drawCharts();
}

function showChoices() {
  fill(byId('choices'),
    segmented(word('language'), [['en', 'EN'], ['zh', '中文']], choices.language, setLanguage),
    segmented(word('theme'), ['auto', 'light', 'dark'].map((theme) => [theme, word(theme)]), choices.theme, setTheme));
}

function makeContents() {
  const links = report.sections.map((section) => make('li', {}, make('a', {href: '#' + section.id}, pick(section.title))));
  // Open beside the report, closed above it on a narrow screen.
  const attributes = matchMedia('(min-width: 68rem)').matches ? {open: ''} : {};
  return make('details', attributes, make('summary', {id: 'contents-title'}, word('contents')), make('ol', {}, links));
}

function makeMasthead() {
  const target = report.target;
  const facts = [['server', target.server], ['api', target.api], ['address', target.url], ['hardware', target.hardware], ['tokenizer', target.tokenizer],
    ['started', report.started.replace('T', ' ').replace('Z', ' UTC')], ['took', formatDuration(report.duration_s)]];
  return make('div', {class: 'masthead'},
    target.model ? make('p', {class: 'kind'}, pick(report.title)) : null,
    make('h1', {}, target.model || pick(report.title)),
    make('dl', {class: 'facts'}, facts.filter(([, value]) => value !== '').map(([key, value]) =>
      make('div', {}, make('dt', {}, word(key)), make('dd', {}, value)))));
}

function makeWarnings() {
  if (report.warnings.length === 0) return null;
  return make('div', {class: 'warnings', role: 'alert'},
    make('strong', {}, word('warnings')), make('ul', {}, report.warnings.map((warning) => make('li', {}, pick(warning)))));
}

function makeKeyFigures() {
  if (report.key_figures.length === 0) return null;
  return make('dl', {class: 'key-figures', 'aria-label': word('keyFigures')}, report.key_figures.map((figure) =>
    make('div', {}, make('dt', {}, pick(figure.name)), make('dd', {class: 'value'}, pick(figure.value)),
      pick(figure.note) === '' ? null : make('dd', {class: 'note'}, pick(figure.note)))));
}

function makeSection(section) {
  const titleId = section.id + '-title';
  return make('section', {id: section.id, 'aria-labelledby': titleId},
    make('h2', {id: titleId}, pick(section.title)),
    section.paragraphs.map((paragraph) => make('p', {}, pick(paragraph))),
    section.charts.length === 0 ? null : make('div', {class: 'charts'}, section.charts.map(makeChart)),
    section.tables.map((table) => makeTable(table, 'h3')),
    makeNotes(section.notes));
}

function showPage() {
  forgetCharts();
  document.documentElement.lang = choices.language === 'zh' ? 'zh-CN' : 'en';
  document.title = `${report.target.model || pick(report.title)} · hussar bench`;
  for (const element of document.querySelectorAll('[data-word]')) element.textContent = word(element.dataset.word);
  showChoices();
  fill(byId('contents'), makeContents());
  fill(byId('content'),
    makeMasthead(),
    makeWarnings(),
    makeKeyFigures(),
    make('p', {class: report.client_limited ? 'proof bad' : 'proof'}, pick(report.proof_line)),
    report.sections.map(makeSection));
  fill(byId('foot'),
    make('p', {}, word('proof') + (report.prove_line || word('unproven'))),
    make('p', {}, word('made')));
  drawCharts();
}

// Paper is light and narrow: its charts are drawn for it, since a printed canvas only stretches.
function toPaper() {
  document.documentElement.dataset.theme = 'light';
  document.documentElement.classList.add('printing');
  drawCharts();
}

function toScreen() {
  document.documentElement.classList.remove('printing');
  applyTheme();
  drawCharts();
}

applyTheme();
showPage();
if (location.hash.length > 1) byId(location.hash.slice(1))?.scrollIntoView();
darkByDefault.addEventListener('change', () => {
  applyTheme();
  drawCharts();
});
addEventListener('beforeprint', toPaper);
addEventListener('afterprint', toScreen);
