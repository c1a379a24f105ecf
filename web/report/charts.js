// Charts by Chart.js. Series differ in colour, marker and dash, so that neither colour-blind readers nor grey printers lose them.

// Chart.js's names, and the same shapes for legends.
const markers = [
  ['circle', 'M12 2.2a3.8 3.8 0 1 0 .01 0z'],
  ['rect', 'M8.6 2.6h6.8v6.8h-6.8z'],
  ['triangle', 'M12 1.8l4.2 7.4h-8.4z'],
  ['rectRot', 'M12 1.2l4.8 4.8l-4.8 4.8l-4.8-4.8z'],
  ['star', 'M12 2v8M8 6h8M9.2 3.2l5.6 5.6M9.2 8.8l5.6-5.6'],
  ['crossRot', 'M9 3l6 6M9 9l6-6'],
];
const dashes = [[], [7, 3], [2, 2], [9, 3, 2, 3], [5, 5], [1, 3]];
const referenceDashes = [[5, 4], [1.5, 3], [10, 4]];
const seriesColours = 6;
const markersMax = 80;      // points beyond which a line is drawn without them
const ticksAtDataMax = 9;   // distinct x values up to which each gets its tick
const dataRowsMax = 60;     // rows up to which the figures are repeated as a table
const longLabel = 11;       // columns of text beyond which bars lie

const drawn = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const liesDown = (chart) => chart.kind === 'bars' && chart.labels.length > 2 && Math.max(...chart.labels.map((label) => textColumns(pick(label)))) > longLabel;
const xValues = (chart) => [...new Set(chart.series.flatMap((series) => series.x))].filter((x) => x !== null).sort((a, b) => a - b);

// Each series with its position among those of the same role.
function positioned(chart, use) {
  const positions = {measured: 0, reference: 0};
  return chart.series.map((series) => use(series, positions[series.role]++));
}

function dataset(chart, series, position) {
  const reference = series.role === 'reference';
  const stroke = reference ? colour('reference') : colour(`series-${position % seriesColours + 1}`);
  const bars = chart.kind === 'bars';
  const many = series.y.length > markersMax;
  return {
    label: pick(series.name),
    data: bars ? series.y : series.y.map((y, i) => ({x: series.x[i], y})),
    borderColor: stroke,
    backgroundColor: !reference ? stroke : bars ? stroke + '55' : colour('card'),
    borderWidth: bars ? (reference ? 1 : 0) : many ? 1.5 : 2,
    borderDash: reference ? referenceDashes[position % referenceDashes.length] : dashes[position % dashes.length],
    borderRadius: 2,
    maxBarThickness: 44,
    pointStyle: markers[position % markers.length][0],
    pointRadius: many ? 0 : chart.kind === 'points' ? 3 : 3.5,
    pointHoverRadius: 5,
    pointHitRadius: 8,
    showLine: chart.kind === 'lines',
    spanGaps: false,
    clip: 8,
    order: reference ? 1 : 0,
  };
}

function valueAxis(label, logarithmic, bars) {
  return {
    type: logarithmic ? 'logarithmic' : 'linear',
    beginAtZero: true,
    // A bar of one is as high as nothing where a logarithmic axis begins at one.
    min: logarithmic && bars ? 0.5 : undefined,
    title: {display: label !== '', text: label, color: colour('quiet'), font: {weight: 'normal'}},
    grid: {color: colour('line'), borderColor: colour('rule'), drawTicks: false},
    border: {color: colour('rule')},
    ticks: {
      color: colour('quiet'), padding: 6, maxTicksLimit: 7,
      callback: (value) => logarithmic && !/^[125]0*$|^0\.0*[125]$/.test(String(+value.toPrecision(6))) ? null : formatNumber(value),
    },
  };
}

function xAxis(chart) {
  const axis = valueAxis(pick(chart.x_label), chart.log_x, false);
  const values = xValues(chart);
  axis.beginAtZero = false;
  axis.min = values[0];
  axis.max = values[values.length - 1];
  axis.grid.display = false;
  axis.ticks.maxRotation = 0;
  axis.ticks.autoSkipPadding = 12;
  axis.ticks.includeBounds = false;
  if (values.length <= ticksAtDataMax) {
    axis.ticks.callback = formatNumber;
    axis.afterBuildTicks = (scale) => {
      scale.ticks = values.map((value) => ({value}));
    };
  }
  return axis;
}

function labelAxis(chart) {
  return {
    type: 'category',
    title: {display: pick(chart.x_label) !== '', text: pick(chart.x_label), color: colour('quiet'), font: {weight: 'normal'}},
    grid: {display: false, borderColor: colour('rule')},
    border: {color: colour('rule')},
    ticks: {color: colour('quiet'), padding: 4, autoSkip: !liesDown(chart)},
  };
}

function chartConfig(chart) {
  const lying = liesDown(chart);
  const label = chart.kind === 'bars' ? labelAxis(chart) : xAxis(chart);
  const value = valueAxis(pick(chart.y_label), chart.log_y, chart.kind === 'bars');
  return {
    type: chart.kind === 'bars' ? 'bar' : 'line',
    data: {
      labels: chart.kind === 'bars' ? chart.labels.map(pick) : undefined,
      datasets: positioned(chart, (series, position) => dataset(chart, series, position)),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      indexAxis: lying ? 'y' : 'x',
      interaction: {mode: chart.kind === 'points' ? 'nearest' : 'index', axis: lying ? 'y' : 'x', intersect: false},
      scales: lying ? {x: value, y: label} : {x: label, y: value},
      plugins: {
        legend: {display: false},
        tooltip: {
          backgroundColor: colour('tip'), titleColor: colour('tip-ink'), bodyColor: colour('tip-ink'), padding: 10, cornerRadius: 4, usePointStyle: true, boxPadding: 4,
          callbacks: {label: (item) => ` ${item.dataset.label}: ${formatNumber(lying ? item.parsed.x : item.parsed.y)}`},
        },
      },
    },
  };
}

// Outside the canvas, where it can wrap; its colours follow the theme by themselves.
function makeLegend(chart) {
  if (chart.series.length < 2) return null;
  const bars = chart.kind === 'bars';
  return make('ul', {class: 'legend', 'aria-hidden': 'true'}, positioned(chart, (series, position) => {
    const reference = series.role === 'reference';
    const stroke = reference ? 'var(--reference)' : `var(--series-${position % seriesColours + 1})`;
    const dash = (reference ? referenceDashes[position % referenceDashes.length] : dashes[position % dashes.length]).join(' ');
    const shape = bars
      ? makeSvg('rect', {x: 4, y: 1, width: 16, height: 10, rx: 2, fill: stroke, 'fill-opacity': reference ? 0.4 : 1})
      : makeSvg('path', {d: markers[position % markers.length][1], fill: reference ? 'var(--card)' : stroke, stroke, 'stroke-width': 1.6});
    const line = bars || chart.kind === 'points' ? null : makeSvg('path', {d: 'M0 6h24', stroke, 'stroke-width': 2, 'stroke-dasharray': dash});
    return make('li', {}, makeSvg('svg', {viewBox: '0 0 24 12', width: 24, height: 12}, line, shape), pick(series.name));
  }));
}

// What a reader who can't see the picture is told.
function describeChart(chart) {
  const kind = word(chart.kind === 'points' ? 'scatter' : chart.kind);
  const series = chart.series.map((one) => {
    const values = one.y.filter((y) => y !== null);
    return values.length === 0
      ? `${pick(one.name)}: ${word('empty')}`
      : `${pick(one.name)}: ${values.length} ${word('points')}, ${word('from')} ${formatNumber(Math.min(...values))} ${word('to')} ${formatNumber(Math.max(...values))}`;
  });
  return `${kind}. ${pick(chart.title)}. ${series.join('; ')}`;
}

// The figures behind the picture; nothing where there are too many to read.
function chartData(chart) {
  const keys = chart.kind === 'bars' ? chart.labels.map(pick) : xValues(chart);
  if (keys.length === 0 || keys.length > dataRowsMax) return null;
  const figure = (series, key, i) => series.y[chart.kind === 'bars' ? i : series.x.indexOf(key)];
  const head = [pick(chart.x_label), ...chart.series.map((series) => pick(series.name))];
  return make('details', {},
    make('summary', {}, word('data')),
    make('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': pick(chart.title)},
      make('table', {},
        make('thead', {}, make('tr', {}, head.map((text) => make('th', {scope: 'col', class: 'figure'}, text)))),
        make('tbody', {}, keys.map((key, i) => make('tr', {},
          make('th', {scope: 'row', class: 'figure'}, chart.kind === 'bars' ? key : formatNumber(key)),
          chart.series.map((series) => make('td', {class: 'figure'}, formatNumber(figure(series, key, i) ?? null)))))))));
}

function makeChart(chart) {
  const canvas = make('canvas', {role: 'img', 'aria-label': describeChart(chart)});
  const box = make('div', {class: 'canvas'}, canvas);
  if (liesDown(chart)) box.style.height = `${6 + chart.labels.length * (0.9 + 0.9 * chart.series.length)}rem`;
  const figure = make('figure', {class: 'chart', id: 'chart-' + chart.id}, make('figcaption', {}, pick(chart.title)), makeLegend(chart), box, chartData(chart));
  drawn.push({chart, canvas, instance: null});
  return figure;
}

// After the canvases have got their place and size.
function drawCharts() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  for (const one of drawn) {
    one.instance?.destroy();
    one.instance = new Chart(one.canvas, chartConfig(one.chart));
  }
}

function forgetCharts() {
  for (const one of drawn) one.instance?.destroy();
  drawn.length = 0;
}
