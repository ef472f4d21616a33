"""Pieces of HTML that the scorecard and the pages of a site share. All text is escaped here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape

from maestro_analytics.analysis.emoji import without_emoji
from maestro_analytics.analysis.report.html import NO_NETWORK, style
from maestro_analytics.text import clean, one_line

CARD_STYLE = """
:root { --low:#a84a00; }
@media (prefers-color-scheme: dark) { :root { --low:#f28e4b; } }
header, main { max-width:1020px; }
.reading { color:var(--faint); margin:0 0 14px; font-size:.92rem; max-width:70ch; }
.caveat { color:var(--faint); font-size:.86rem; margin:12px 0 0; max-width:75ch; }
.number { text-align:right; white-space:nowrap; min-width:0; }
@media (max-width:640px) {
  thead { display:none; }
  table, tbody, tr, td { display:block; }
  tr { border-bottom:1px solid var(--edge); padding:8px 0; }
  td.text, td.number { display:flex; justify-content:space-between; gap:16px; border:0; padding:2px 0; min-width:0;
    text-align:right; white-space:normal; }
  td::before { content:attr(data-label); color:var(--faint); text-align:left; flex:none; }
  td:empty { display:none; }
}
main { margin-top:20px; }
article > h2 { margin:0 0 4px; }
article > h3 { margin-top:18px; }
th.number { white-space:normal; } .text { min-width:5em; } .day { white-space:nowrap; }
@media (min-width:641px) { td.number, th.number { padding-right:18px; } }
.figures { display:grid; grid-template-columns:repeat(auto-fit, minmax(210px, 1fr)); gap:14px 24px; margin:0; }
.figures dt { color:var(--faint); font-size:.86rem; }
.figures dd { margin:0; font-size:1.05rem; font-weight:600; }
.figures dd small { display:block; color:var(--faint); font-weight:400; font-size:.86rem; }
a { color:var(--blue); }
a:focus-visible, summary:focus-visible, input:focus-visible, .scroll:focus-visible { outline:2px solid var(--blue);
  outline-offset:2px; }
.up { margin:0 0 6px; font-size:.92rem; }
blockquote { margin:8px 0 0; padding:0 0 0 12px; border-left:3px solid var(--edge); font-size:.92rem;
  white-space:pre-line; }
blockquote footer { color:var(--faint); font-size:.86rem; white-space:normal; }
ol.plain, ul.plain { margin:0; padding-left:1.2em; }
ol.plain > li, ul.plain > li { margin:0 0 12px; }
li small { color:var(--faint); }
h4 { font-size:.95rem; margin:16px 0 6px; }
input[type=search] { font:inherit; color:var(--ink); background:var(--card); border:1px solid var(--edge);
  border-radius:8px; padding:6px 10px; width:100%; max-width:24em; }
.below { color:var(--low); font-weight:600; } .above { color:var(--blue); font-weight:600; }
[hidden] { display:none !important; }
@media (max-width:640px) { table a { overflow-wrap:anywhere; } }
@media print { h2, h3, h4, thead { break-after:avoid; } tr, li, blockquote { break-inside:avoid; }
  .scroll { overflow:visible; } input { display:none; } a { color:inherit; } }
"""

SEARCH = """
(() => {
  const box = document.querySelector('input[type=search]');
  if (!box) return;
  box.closest('p').hidden = false;
  const rows = [...document.querySelectorAll('tbody[data-searched] tr')];
  const told = document.querySelector('[data-found]');
  box.addEventListener('input', () => {
    const words = box.value.toLowerCase().split(/\\s+/);
    let found = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      found += !row.hidden;
    }
    told.textContent = box.value.trim() ? found + ' of ' + rows.length : '';
  });
})();
"""
"""Filters the table of agents by what is typed. Without it the whole table is shown, and no search box."""


def document(title: str, lines: Iterable[str], body: str, *, up: str = "", searched: bool = False) -> str:
    """A whole page.

    Args:
        title: the heading, plain text.
        lines: below it, plain text.
        body: HTML of the main part.
        up: HTML above the heading: links to other pages.
        searched: whether the page has the search box's script.
    """
    script, allowed = "", NO_NETWORK
    if searched:
        script = f"<script>{SEARCH}</script>\n"
        digest = b64encode(sha256(SEARCH.encode()).digest()).decode()
        allowed += f"; script-src 'sha256-{digest}'"
    named = text(title)
    above = f'<nav class="up" aria-label="Pages above">{up}</nav>' if up else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{named}</title>\n<style>{style()}{CARD_STYLE}</style>\n</head>\n<body>\n"
        f"<header>{above}<h1>{named}</h1><p>{'<br>'.join(text(line) for line in lines)}</p></header>\n"
        f"<main>\n{body}</main>\n{script}</body>\n</html>\n"
    )


def text(words: object) -> str:
    """One line of plain text as HTML, without emoji, for which many printers and browsers have no letter."""
    return escape(without_emoji(one_line(words)))


def quoted(words: object, most: int = 600) -> str:
    """A comment as HTML, with its line breaks."""
    whole = without_emoji(clean(words))
    return escape(whole if len(whole) <= most else f"{whole[:most].rstrip()}…")


def link(address: str | None, words: object) -> str:
    """A link, or the words alone where there is no address."""
    return f'<a href="{escape(address)}">{text(words)}</a>' if address else text(words)


def article(heading: str, reading: str, body: str, *, mark: str = "") -> str:
    """A part of a page with its heading and how to read it."""
    named = f' id="{mark}"' if mark else ""
    told = f'<p class="reading">{text(reading)}</p>' if reading else ""
    return f"<article{named}><h2>{text(heading)}</h2>{told}{body}</article>\n"


def figure(wide: str, narrow: str, *, words: str) -> str:
    """A picture in two widths, with the words that say the same."""
    pictures = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    return f'<figure role="img" aria-label="{text(words)}">{pictures}</figure>'


def table(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, searched: bool = False) -> str:
    """A table; on a phone each row is a list.

    Args:
        headings: of each column its heading and `text` or `number`.
        rows: cells as HTML.
        searched: whether the search box filters its rows.
    """
    head = "".join(f'<th scope="col" class="{kind}">{text(words)}</th>' for words, kind in headings)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}" data-label="{text(words)}">{cell}</td>'
            for cell, (words, kind) in zip(row, headings, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    mark = " data-searched" if searched else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody{mark}>{body}</tbody></table></div>"
    )


def nothing(words: str) -> str:
    """Said in the place of what is not there."""
    return f'<p class="nothing">{text(words)}</p>'


def caveat(words: str) -> str:
    """What a part does not show."""
    return f'<p class="caveat">{text(words)}</p>' if words else ""
