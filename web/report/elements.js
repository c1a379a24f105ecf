// Building the page. Texts of a report quote models and servers: they only ever become text nodes, never markup.

const byId = (id) => document.getElementById(id);

const make = (tag, attributes, ...children) => furnish(document.createElement(tag), attributes, children);
const makeSvg = (tag, attributes, ...children) => furnish(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null));
}

// A row of buttons of which one is pressed.
function segmented(label, options, chosen, choose) {
  const buttons = options.map(([value, text]) => {
    const button = make('button', {type: 'button', 'aria-pressed': String(value === chosen), lang: value === 'zh' ? 'zh-CN' : null}, text);
    button.addEventListener('click', () => choose(value));
    return button;
  });
  return make('div', {class: 'segmented', role: 'group', 'aria-label': label}, buttons);
}
