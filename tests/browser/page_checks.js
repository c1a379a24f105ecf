// Looks at a drawn page as a person would; each check returns what is wrong, as texts.
globalThis.checks = (() => {
  const seen = (element) => element.getClientRects().length > 0;
  const name = (element) => `${element.tagName}.${element.className} "${element.textContent.trim().slice(0, 40)}"`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);

  // Beyond the right edge of the page, but for what lies in a box that scrolls.
  const overflowing = () => all('body *')
    .filter((element) => !element.closest('.scroll') && !element.closest('.skip') && element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(name);

  // Blocks that follow each other must not share any area.
  const overlapping = () => all('main, main *, .bar, .bar *, footer').flatMap((parent) => {
    if (parent.closest('svg, table, .canvas')) return [];
    const boxes = [...parent.children].filter(seen).map((child) => [child, child.getBoundingClientRect()]);
    return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
      .map(([other]) => `${name(one)} and ${name(other)}`));
  });

  // Content wider than its element, where nothing scrolls.
  const cutOff = () => all('h1, h2, h3, p, dt, dd, li, a, button, summary, figcaption, th, td')
    .filter((element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline')
    .map(name);

  const rgb = (colour) => {
    const context = document.createElement('canvas').getContext('2d');
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };

  // Each series that has figures must have left pixels of its own colour.
  const emptyCharts = () => all('canvas').flatMap((canvas) => {
    const chart = Chart.getChart(canvas);
    if (!chart) return [`${canvas.getAttribute('aria-label')}: not drawn`];
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return chart.data.datasets.filter((set) => set.data.some((point) => Number.isFinite(point?.y ?? point) && (point?.y ?? point) !== 0)).flatMap((set) => {
      const wanted = rgb(set.borderColor);
      let pixels = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 100 && [0, 1, 2].every((c) => Math.abs(data[i + c] - wanted[c]) < 12)) pixels++;
      }
      return pixels >= 12 ? [] : [`${canvas.getAttribute('aria-label').slice(0, 60)}: ${set.label} has ${pixels} pixels`];
    });
  });

  // Labels of an axis that run into each other.
  const crowdedTicks = () => all('canvas').flatMap((canvas) => {
    const chart = Chart.getChart(canvas);
    return Object.values(chart.scales).filter((scale) => scale.isHorizontal() && scale.labelRotation === 0).flatMap((scale) => {
      chart.ctx.save();
      chart.ctx.font = `12px ${Chart.defaults.font.family}`;
      const labels = scale.ticks.map((tick, i) => ({text: [].concat(tick.label ?? '').join(''), at: scale.getPixelForTick(i)})).filter((label) => label.text !== '');
      const spans = labels.map(({text, at}) => [at - chart.ctx.measureText(text).width / 2, at + chart.ctx.measureText(text).width / 2]);
      chart.ctx.restore();
      return spans.slice(1).flatMap(([left], i) => left < spans[i][1] ? [`${canvas.getAttribute('aria-label').slice(0, 60)}: ${labels[i].text} and ${labels[i + 1].text}`] : []);
    });
  });

  return {overflowing, overlapping, cutOff, emptyCharts, crowdedTicks};
})();
