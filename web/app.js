// The page of a running server: what is served, a line to try, and a chat box. Everything comes from the public API.

const texts = {
  en: {
    curl: 'Try it from a shell', copy: 'Copy', copied: 'Copied', chat: 'Chat', message: 'Message', send: 'Send', stop: 'Stop',
    clear: 'New chat', hint: 'Enter sends, Shift+Enter starts a new line, Esc stops an answer.',
    ready: 'ready', notReady: 'not ready', gone: 'no connection', running: 'running', waiting: 'waiting', context: 'context',
    tokens: 'tokens', stopped: 'stopped', cut: 'ended at the token limit', hello: 'Hello! Who are you?',
  },
  zh: {
    curl: '在命令行中试一试', copy: '复制', copied: '已复制', chat: '对话', message: '消息', send: '发送', stop: '停止',
    clear: '新对话', hint: '回车发送，Shift+回车换行，Esc 停止回答。',
    ready: '就绪', notReady: '未就绪', gone: '连接已断开', running: '运行中', waiting: '排队', context: '上下文',
    tokens: '个 token', stopped: '已停止', cut: '到达长度上限', hello: '你好！你是谁？',
  },
};
const language = navigator.languages.some((l) => /^(zh|en)\b/.test(l))
  ? navigator.languages.find((l) => /^(zh|en)\b/.test(l)).slice(0, 2)
  : 'en';
const text = texts[language];
const byId = (id) => document.getElementById(id);

const chat = {messages: [], running: null, hasTemplate: true, model: ''};

function showTexts() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text[element.dataset.text];
}

function shellQuote(value) {
  return "'" + value.replaceAll("'", "'\\''") + "'";
}

function showCurl() {
  const body = chat.hasTemplate
    ? {model: chat.model, messages: [{role: 'user', content: text.hello}], max_tokens: 64}
    : {model: chat.model, prompt: text.hello, max_tokens: 64};
  const path = chat.hasTemplate ? '/v1/chat/completions' : '/v1/completions';
  byId('curl').textContent =
    `curl ${location.origin}${path} -H 'Content-Type: application/json' -d ${shellQuote(JSON.stringify(body))}`;
}

async function refreshState() {
  const lamp = byId('lamp');
  try {
    const health = await (await fetch('health')).json();
    const ready = (await fetch('ready')).ok;
    lamp.className = ready ? 'good' : 'bad';
    byId('state-text').textContent =
      `${ready ? text.ready : text.notReady} · ${health.running} ${text.running} · ${health.waiting} ${text.waiting}`;
    if (chat.model !== health.model || chat.hasTemplate !== health.chat) {
      chat.model = health.model;
      chat.hasTemplate = health.chat;
      byId('model').textContent =
        `${health.summary || health.model} · ${health.device} ${health.isa} · ${text.context} ${health.context_max}`;
      document.title = `${health.model} · hussar`;
      showCurl();
    }
  } catch {
    lamp.className = 'bad';
    byId('state-text').textContent = text.gone;
  }
}

function addMessage(kind, content) {
  const element = document.createElement('div');
  element.className = `message ${kind}`;
  element.textContent = content;
  byId('log').append(element);
  scrollDown();
  return element;
}

function addNote(element, note) {
  const small = document.createElement('small');
  small.textContent = note;
  element.append(small);
  scrollDown();
}

function scrollDown() {
  byId('log').scrollTop = byId('log').scrollHeight;
}

// The documents of an event stream, one by one. An event may be split anywhere between two reads.
async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    buffer += value;
    const events = buffer.split('\n\n');
    buffer = events.pop();
    for (const event of events) {
      const data = event.startsWith('data: ') ? event.slice(6) : '';
      if (data === '[DONE]') return;
      if (data) yield JSON.parse(data);
    }
  }
}

function showRunning(running) {
  const focused = document.activeElement === byId('send');
  chat.running = running;
  byId('send').hidden = running !== null;
  byId('stop').hidden = running === null;
  if (focused) byId('stop').focus();  // the button under the keyboard has just gone
}

async function ask(question) {
  const messages = chat.messages;  // a new chat may begin while this answer is still coming
  messages.push({role: 'user', content: question});
  addMessage('user', question);
  const element = addMessage('assistant', '');
  const abort = new AbortController();
  showRunning(abort);
  let answer = '', usage = null, reason = null;
  try {
    const asked = {model: chat.model, stream: true, stream_options: {include_usage: true}};
    const response = await fetch(chat.hasTemplate ? 'v1/chat/completions' : 'v1/completions', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify(chat.hasTemplate ? {...asked, messages} : {...asked, prompt: question}),
      signal: abort.signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    const started = performance.now();
    for await (const event of readEvents(response)) {
      if (event.error) throw new Error(event.error.message);
      const choice = event.choices[0];
      answer += (choice?.delta?.content ?? choice?.text) ?? '';
      reason = choice?.finish_reason ?? reason;
      usage = event.usage ?? usage;
      element.textContent = answer;
      scrollDown();
    }
    if (usage) {
      const rate = usage.completion_tokens / Math.max((performance.now() - started) / 1000, 0.001);
      const cut = reason === 'length' ? ` · ${text.cut}` : '';
      addNote(element, `${usage.completion_tokens} ${text.tokens} · ${rate.toFixed(1)}/s${cut}`);
    }
  } catch (error) {
    if (error.name === 'AbortError') addNote(element, text.stopped);
    else addMessage('error', error.message);
  }
  // A question without any answer would stand twice in a row at the next try.
  if (answer) messages.push({role: 'assistant', content: answer});
  else messages.pop();
  showRunning(null);
  refreshState();
  byId('input').focus();
}

function submit() {
  const question = byId('input').value.trim();
  if (!question || chat.running) return;
  byId('input').value = '';
  ask(question);
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
byId('input').addEventListener('keydown', (event) => {
  // While an input method composes Chinese, Enter belongs to it.
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') chat.running?.abort();
});
byId('stop').addEventListener('click', () => chat.running?.abort());
byId('clear').addEventListener('click', () => {
  chat.running?.abort();
  chat.messages = [];
  byId('log').replaceChildren();
  byId('input').focus();
});
byId('copy').addEventListener('click', async () => {
  await navigator.clipboard?.writeText(byId('curl').textContent);
  byId('copy').textContent = text.copied;
  setTimeout(() => { byId('copy').textContent = text.copy; }, 1500);
});

showTexts();
refreshState();
setInterval(refreshState, 3000);
