// What the reader chose: language and colours. A choice is remembered where the browser allows it for files; ?lang=zh&theme=dark in
// the address goes before it.

const darkByDefault = matchMedia('(prefers-color-scheme: dark)');

function remembered(name, allowed) {
  let stored = null;
  try {
    stored = localStorage.getItem('hussar-report-' + name);
  } catch {
    // Some browsers keep nothing for pages that are files.
  }
  const value = new URLSearchParams(location.search).get(name) ?? stored;
  return allowed.includes(value) ? value : null;
}

function remember(name, value) {
  try {
    localStorage.setItem('hussar-report-' + name, value);
  } catch {
    // As above: the choice then holds until the page is closed.
  }
}

const choices = {
  language: remembered('lang', ['en', 'zh']) ?? (/^zh\b/.test(navigator.language) ? 'zh' : 'en'),
  theme: remembered('theme', ['auto', 'light', 'dark']) ?? 'auto',
};

function applyTheme() {
  const dark = choices.theme === 'dark' || (choices.theme === 'auto' && darkByDefault.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}
