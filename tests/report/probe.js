// What can be measured of a page that is shown: tones() of its colours, layout() of its boxes.
(() => {
  const rgba = text => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const over = (ink, ground) => [0, 1, 2].map(i => ink[i] * ink[3] + ground[i] * (1 - ink[3]));
  const light = color => {
    const [r, g, b] = color.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((p, q) => q - p);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const color = rgba(getComputedStyle(element).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255, 1];
  };
  const box = element => element.getBoundingClientRect();
  const seen = element => box(element).width > 1 && box(element).height > 1;

  window.tones = () => {
    const texts = [];
    for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
      const said = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
      if (!said || element.closest('script, style, title') || !seen(element)) continue;
      const style = getComputedStyle(element), under = ground(element);
      texts.push([ratio(over(rgba(element.closest('svg') ? style.fill : style.color), under), under), said]);
    }
    const shapes = [...document.querySelectorAll('rect.bar, rect.barbad')].map(shape => {
      const style = getComputedStyle(shape);
      return ratio(rgba(shape.classList.contains('bar') ? style.fill : style.stroke), ground(shape.closest('.card')));
    });
    const body = light(rgba(getComputedStyle(document.body).backgroundColor));
    return {texts: texts.length, faint: texts.filter(text => text[0] < 4.5), shapes, body};
  };

  window.layout = () => {
    const page = document.documentElement, small = [], crossed = [];
    const wide = [...document.querySelectorAll('body *')]
      .filter(e => !e.closest('.scroll, thead') && box(e).right > page.clientWidth + 1)
      .map(e => e.outerHTML.slice(0, 80));
    const cut = [...document.querySelectorAll('.scroll')]
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => [e.scrollWidth, e.clientWidth]);
    for (const svg of document.querySelectorAll('main svg')) {
      const scale = box(svg).width / svg.viewBox.baseVal.width;
      const texts = [...svg.querySelectorAll('text')].filter(seen);
      texts.forEach((text, i) => {
        if (parseFloat(getComputedStyle(text).fontSize) * scale < 9) small.push(text.textContent);
        const a = box(text);
        for (const other of texts.slice(i + 1)) {
          const b = box(other);
          if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom - 2 && b.top + 2 < a.bottom - 2)
            crossed.push([text.textContent, other.textContent]);
        }
      });
    }
    return {width: innerWidth, scroll: page.scrollWidth, wide, cut, small, crossed, title: document.title,
            cards: document.querySelectorAll('.card').length};
  };
})();
