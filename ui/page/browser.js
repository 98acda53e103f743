// What the page does in the browser: cards, hints on footnotes, copying, feedback.
// Text from papers is only ever moved as nodes or as textContent, never parsed.
(() => {
  'use strict';

  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const one = (selector, within = document) => within.querySelector(selector);
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const cardsOf = article => one('template.cards', article)?.content;
  const quoted = (within, names) =>
    [...within.querySelectorAll('mark')].filter(mark =>
      mark.dataset.quotes.split(' ').some(name => names.includes(name)));

  // -- the evidence panel

  function fill(article) {
    const cards = one('#cards');
    const content = cardsOf(article);
    if (!cards || !content) return;
    cards.replaceChildren(content.cloneNode(true));
    cards.dataset.turn = article.dataset.turn;
    one('#no-cards').hidden = cards.childElementCount > 0;
    one('#panel').scrollTop = 0;
  }

  function open(link) {
    const article = link.closest('article');
    if (!cardsOf(article)) return;
    fill(article);
    const card = one(`[data-card="${link.dataset.card}"]`, one('#cards'));
    if (!card) return;
    card.classList.add('current');
    card.append(back(link));
    const marks = quoted(card, (link.dataset.quotes || '').split(' '));
    marks.forEach(mark => mark.classList.add('current'));
    card.focus({preventScroll: true});
    (marks[0] || card).scrollIntoView({
      block: marks.length ? 'center' : 'start', behavior: calm.matches ? 'auto' : 'smooth',
    });
  }

  function back(link) {
    const button = make('button', {type: 'button', className: 'back', textContent: 'Back to the answer'});
    button.addEventListener('click', () => {
      link.focus({preventScroll: true});
      link.scrollIntoView({block: 'center', behavior: calm.matches ? 'auto' : 'smooth'});
    });
    return button;
  }

  // -- a hint beside a footnote that is pointed at or focused

  const hint = make('div', {id: 'hint', role: 'tooltip', hidden: true});
  let hinted = null;

  function show(link) {
    const article = link.closest('article');
    const content = article && cardsOf(article);
    const card = content && one(`[data-card="${link.dataset.card}"]`, content);
    if (!card) return;
    const line = (name, text) => make('span', {className: name, textContent: text, dir: 'auto'});
    const title = one('h3', card).cloneNode(true);
    one('.badge', title)?.remove();
    const parts = [line('title', title.textContent.trim())];
    const known = one('.known', card);
    if (known) parts.push(line('known', known.textContent));
    quotes(card, link).forEach(text => parts.push(line('quote', `“${text}”`)));
    hint.replaceChildren(...parts);
    hint.hidden = false;
    link.setAttribute('aria-describedby', 'hint');
    hinted = link;
    place(link);
  }

  function quotes(card, link) {
    return link.dataset.quotes.split(' ').map(name =>
      quoted(card, [name]).map(mark => mark.textContent).join(''));
  }

  function place(link) {
    const at = link.getBoundingClientRect();
    const width = Math.min(420, innerWidth - 16);
    hint.style.width = `${width}px`;
    hint.style.left = `${Math.max(8, Math.min(at.left - 24, innerWidth - width - 8))}px`;
    const above = at.top > hint.offsetHeight + 12;
    hint.style.top = `${above ? at.top - hint.offsetHeight - 6 : at.bottom + 6}px`;
  }

  function hide() {
    hint.hidden = true;
    hinted?.removeAttribute('aria-describedby');
    hinted = null;
  }

  // -- what can be done with an answer

  async function copy(button) {
    const text = one('template.plain', button.closest('article')).content.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Only pages of this machine and of https may use the clipboard: the old way.
      const area = make('textarea', {value: text});
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
      button.focus();
    }
    say(button, 'Copied');
  }

  function say(button, text) {
    const before = button.dataset.text || (button.dataset.text = button.textContent);
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  async function feedback(button) {
    const actions = button.closest('.actions');
    const thumbs = [...actions.querySelectorAll('[data-act="feedback"]')];
    const box = one('.comment', actions);
    const told = one('[role="status"]', box);
    // A comment belongs to the thumb that was chosen last, even if that could not be kept.
    if (button.dataset.act === 'feedback') box.dataset.good = button.dataset.good;
    const chosen = thumbs.find(each => box.dataset.good
      ? each.dataset.good === box.dataset.good : each.getAttribute('aria-pressed') === 'true');
    if (!chosen) return;
    const id = encodeURIComponent(button.closest('article').dataset.answer);
    const said = {good: chosen.dataset.good === 'yes', comment: one('textarea', box).value};
    box.hidden = false;
    const reply = await fetch(`/api/answers/${id}/feedback`, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(said),
    }).catch(() => null);
    told.textContent = reply?.ok ? 'Kept, thank you.' : await reason(reply);
    if (!reply?.ok) return;
    for (const each of thumbs) {
      each.setAttribute('aria-pressed', String(each === chosen));
    }
  }

  async function reason(reply) {
    const values = reply ? await reply.json().catch(() => ({})) : {};
    return `Not kept: ${values.error || 'the server did not answer'}`;
  }

  // A button that asks once more before it does something for good.
  function confirmed(button) {
    if (button.classList.contains('sure')) return true;
    const before = button.textContent;
    button.classList.add('sure');
    button.textContent = button.dataset.confirm;
    setTimeout(() => {
      button.classList.remove('sure');
      button.textContent = before;
    }, 5000);
    return false;
  }

  // -- listening

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-confirm]');
    if (button && !confirmed(button)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);

  document.addEventListener('click', event => {
    const link = event.target.closest('a.cite, a.suggestion');
    hide();
    if (link) {
      event.preventDefault();
      open(link);
      return;
    }
    const button = event.target.closest('[data-act]');
    if (button) (button.dataset.act === 'copy' ? copy : feedback)(button);
  });

  for (const [name, act] of [['mouseover', show], ['focusin', show]]) {
    document.addEventListener(name, event => {
      const link = event.target.closest?.('a.cite');
      if (link) act(link);
    });
  }
  for (const name of ['mouseout', 'focusout']) {
    document.addEventListener(name, event => {
      if (event.target.closest?.('a.cite')) hide();
    });
  }
  document.addEventListener('scroll', () => { if (hinted) place(hinted); }, true);
  document.addEventListener('keydown', event => { if (event.key === 'Escape') hide(); });

  // Arrow keys go from tab to tab, as readers of screens expect.
  document.addEventListener('keydown', event => {
    const tab = event.target.closest?.('[role="tab"]');
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!tab || !step) return;
    const tabs = [...tab.parentElement.querySelectorAll('[role="tab"]')];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });

  // -- following the conversation

  let shown = '';

  function follow() {
    if (hinted && !hinted.isConnected) hide();
    const current = one('#current');
    const article = current && one('article', current);
    const state = article ? `${article.dataset.turn} ${article.className} ${article.dataset.answer}` : '';
    if (state === shown) return;
    const asked = article?.classList.contains('writing') || shown.includes('writing');
    shown = state;
    if (!article) empty();
    else if (cardsOf(article)) fill(article);
    // A question comes to the top when it is asked, and again when its answer has made room
    // below it, unless the reader has gone elsewhere meanwhile.
    const top = article?.getBoundingClientRect().top;
    if (asked && (article?.classList.contains('writing') || (top > 0 && top < innerHeight))) {
      article.scrollIntoView({block: 'start', behavior: calm.matches ? 'auto' : 'smooth'});
    }
  }

  function empty() {
    one('#cards')?.replaceChildren();
    const none = one('#no-cards');
    if (none) none.hidden = false;
  }

  new MutationObserver(follow).observe(document.documentElement, {childList: true, subtree: true});
  document.addEventListener('DOMContentLoaded', () => document.body.append(hint));
  if (document.body) document.body.append(hint);
})();
