// The page's own words; everything else comes from the report, which brings both languages.

const words = {
  en: {
    skip: 'Skip to the report', contents: 'Contents', language: 'Language', theme: 'Theme', auto: 'Auto', light: 'Light', dark: 'Dark',
    server: 'Server', api: 'API', address: 'Address', hardware: 'Hardware', tokenizer: 'Tokenizer', started: 'Started', took: 'Took',
    warnings: 'Warnings', keyFigures: 'Key figures', data: 'Data', points: 'points', from: 'from', to: 'to', empty: 'no data',
    lines: 'Line chart', bars: 'Bar chart', scatter: 'Point chart', emptyTable: 'Nothing was measured.',
    proof: 'Load generator: ', unproven: 'No proof of the load generator stands beside this report.',
    made: 'Everything on this page is in this one file; figures for machines are in results.json, each request in requests.jsonl. Charts: Chart.js (MIT License).',
  },
  zh: {
    skip: '跳到报告正文', contents: '目录', language: '语言', theme: '配色', auto: '自动', light: '浅色', dark: '深色',
    server: '服务程序', api: 'API', address: '地址', hardware: '硬件', tokenizer: '分词器', started: '开始时间', took: '用时',
    warnings: '警告', keyFigures: '关键数字', data: '数据', points: '个点', from: '从', to: '到', empty: '无数据',
    lines: '折线图', bars: '柱状图', scatter: '散点图', emptyTable: '没有测量结果。',
    proof: '压测端：', unproven: '本报告没有附带压测端的自证结果。',
    made: '本页全部内容都在这一个文件里；机器可读的数字见 results.json，每个请求见 requests.jsonl。图表：Chart.js（MIT 许可证）。',
  },
};

// A word of the page, and a text of the report, in the language of the moment.
const word = (key) => words[choices.language][key];
const pick = (text) => text[choices.language];

// Figures of charts; the report's tables bring theirs as text.
function formatNumber(value) {
  if (value === null || !Number.isFinite(value)) return '—';
  const compact = Math.abs(value) >= 1e5;
  return new Intl.NumberFormat(choices.language, {maximumSignificantDigits: 4, notation: compact ? 'compact' : 'standard'}).format(value);
}

function formatDuration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const units = choices.language === 'zh' ? [' 小时', ' 分', ' 秒'] : [' h', ' min', ' s'];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return 0 + units[2];
  return parts.map((part, i) => part + units[i]).slice(first, first + 2).join(' ');
}
