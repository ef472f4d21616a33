"""The report's page as people see it: Debian's Chromium, desktop and phone, light and dark."""

import os

import pytest
from chromium import Browser, installed_chromium

from maestro_analytics.analysis import report as reports

pytestmark = pytest.mark.skipif(
    installed_chromium() is None and not os.environ.get("CI"),
    reason="needs Debian's chromium: apt-get install chromium",
)

OVERLAPS = """
(() => {
  const found = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    if (!svg.getBoundingClientRect().width) continue;
    const boxes = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim()).map(t => [t,
    t.getBoundingClientRect()]); for (const [i, [a, p]] of boxes.entries()) for (const [b, q] of boxes.slice(i + 1)) {
      if (/rotate/.test(a.getAttribute('transform') || '') || /rotate/.test(b.getAttribute('transform') || ''))
      continue; const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 2 && high > 4) found.push(a.textContent + ' / ' + b.textContent);
    }
  }
  return found;
})()
"""
CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.querySelector('article')).backgroundColor);
  const low = [];
  const words = [...document.querySelectorAll('h3, .reading, .caveat, figcaption, td, th, summary')]
    .map(e => [e.textContent, getComputedStyle(e).color])
    .concat([...document.querySelectorAll('.role-axis text, .role-legend text')].map(e => [e.textContent,
    getComputedStyle(e).fill]));
  for (const [text, colour] of words) {
    const fore = light(colour), ratio = (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
    if (ratio < 4.5) low.push(text + ' ' + colour + ' ' + ratio.toFixed(1));
  }
  return low;
})()
"""


@pytest.fixture(scope="module")
def page(sandbox, tmp_path_factory):
    """The whole report of a believable centre."""
    program = installed_chromium()
    assert program is not None, "CI is set and there is no chromium: .ci/run installs it"
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(reports.page(reports.sections(sandbox[0])), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(page):
    with Browser(installed_chromium() or "") as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_page_can_be_read(page, browser, width, dark):
    """Nothing runs over the edge, no label lies on another, and all text stands out from its ground."""
    browser.show(page, width=width, dark=dark)
    assert [width, width] == browser.run("[document.scrollingElement.scrollWidth, innerWidth]")
    assert [] == browser.run(OVERLAPS)
    assert [] == browser.run(CONTRAST)
    shown = "narrow" if width < 640 else "wide"
    pictures = browser.run("document.querySelectorAll('figure').length")
    widths = f"[...document.querySelectorAll('figure .{shown} svg')].map(s => s.getBoundingClientRect().width)"
    visible = sum(seen > 250 for seen in browser.run(widths))
    assert pictures == visible > 10
    picture = browser.picture()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 100_000


def test_nothing_is_fetched_and_nothing_complains(page, browser):
    browser.show(page, width=1280)
    assert {page.absolute().as_uri()} == set(browser.requests)
    assert [] == browser.complaints


def test_every_id_is_there_once_and_every_link_leads_somewhere(page, browser):
    browser.show(page, width=1280)
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) > 4
    assert browser.run(
        "[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.getAttribute('href')))"
    )
