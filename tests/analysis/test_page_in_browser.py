"""The report's page as people see it: Debian's Chromium, desktop and phone, light and dark."""

import json
import os
from importlib.util import find_spec

import pytest
from chromium import Browser, installed_chromium

from maestro_analytics.analysis import report as reports

pytestmark = pytest.mark.skipif(
    installed_chromium() is None and not os.environ.get("CI"),
    reason="needs Debian's chromium: apt-get install chromium",
)

needs_axe = pytest.mark.skipif(
    find_spec("axe_core_python") is None and not os.environ.get("CI"),
    reason="needs axe-core-python of the extra dev: install '.[dev]' again",
)

PAPER = 1017
"""The height of A4 between the page's margins, in pixels."""

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
SMALL = """
(() => {
  const small = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    const width = svg.getBoundingClientRect().width;
    for (const text of width ? svg.querySelectorAll('text') : []) {
      const size = parseFloat(getComputedStyle(text).fontSize) * width / svg.viewBox.baseVal.width;
      if (size < 11) small.push(svg.closest('article').id + ': ' + text.textContent + ' ' + size);
    }
  }
  for (const each of document.querySelectorAll('body *')) {
    if (each.closest('svg') || !each.getClientRects().length || !each.textContent.trim()) continue;
    if (parseFloat(getComputedStyle(each).fontSize) < 11) small.push(each.tagName + ' ' + each.textContent);
  }
  return small;
})()
"""
"""Texts that are shown smaller than 11 pixels."""

CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.querySelector('article')).backgroundColor);
  const low = [];
  const words = [...document.querySelectorAll('h3, p, figcaption, td, th, summary, main a')]
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

CUT = """
(() => [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth + 1)
  .map(box => box.textContent.slice(0, 80)))()
"""
"""Tables that are wider than their place."""

WITHOUT_HEADING = """
(() => [...document.querySelectorAll('tbody tr:first-child td')].filter(cell => cell.textContent &&
  getComputedStyle(cell, '::before').content.length < 3).map(cell => cell.textContent))()
"""
"""Cells of a card, which is what a row of a table is on a phone, that do not say what they are."""

STOPS = "a[href], summary, input, [tabindex]"
"""What the keyboard reaches."""


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


def test_a_long_table_has_a_search_box_that_the_keyboard_reaches(page, browser):
    """Tab to the fold of the agents, Enter opens it, Tab to its search box, and what is typed is found."""
    browser.show(page, width=1280)
    browser.run("document.querySelector('#agent_ranking summary').focus()")
    browser.press("Enter")
    assert browser.run("document.querySelector('#agent_ranking details').open")
    browser.press("Tab")
    assert "search" == browser.run("document.activeElement.type")
    name = browser.run("document.querySelector('#agent_ranking tbody tr:last-child th').textContent")
    browser.write(name)
    shown = "[...document.querySelectorAll('#agent_ranking tbody tr')].filter(row => !row.hidden)"
    assert 1 <= browser.run(f"{shown}.length") <= 3
    assert browser.run(f"{shown}.every(row => row.textContent.includes({json.dumps(name)}))")
    assert "rows" in browser.run("document.querySelector('#agent_ranking output').textContent")
    browser.press("Tab")
    assert "group" == browser.run("document.activeElement.getAttribute('role')")


def test_on_paper_folds_are_open_and_nothing_is_wasted(page, browser):
    """At most 1.5 times the paper that the page is long on a screen with its tables closed."""
    browser.show(page, width=1280)
    height = browser.run("document.documentElement.scrollHeight")
    printed = browser.printed()
    pages = printed.count(b"/Type /Page") - printed.count(b"/Type /Pages")
    assert 5 < pages <= 1.5 * height / PAPER
    # The printer saw open folds; the screen has them closed again.
    assert 0 == browser.run("document.querySelectorAll('details[open]').length")


def test_the_top_says_how_it_stands_and_leads_to_what_to_look_at_first(page, browser):
    browser.show(page, width=1280)
    assert 3 == browser.run("document.querySelectorAll('.tile').length")
    targets = browser.run("[...document.querySelectorAll('.first a')].map(a => a.getAttribute('href'))")
    # Here no agent and no grader changed for real: then those who stand out in the whole period are named.
    assert ["#agent_ranking", "#points_lost", "#grader_severity"] == targets
    assert browser.run("document.querySelector('.first a').textContent").startswith("None of 40 agents changed")
    assert browser.run("[...document.querySelectorAll('main a')].every(a => document.querySelector(a.hash))")


def test_every_picture_has_words_and_a_table(page, browser):
    browser.show(page, width=1280)
    words = browser.run("[...document.querySelectorAll('figure [role=img]')].map(f => f.getAttribute('aria-label'))")
    assert all(len(text) > 25 for text in words)
    assert browser.run("[...document.querySelectorAll('figure')].every(f => f.parentElement.querySelector('table'))")


def test_nothing_speaks_of_a_command_line(page, browser):
    browser.show(page, width=1280)
    text = browser.run("document.body.textContent")
    assert not [word for word in ("--", "maestro-analytics", "until=", "since=", "csv") if word in text]


@pytest.mark.parametrize("width", [1440, 1280, 390], ids=["wide", "desktop", "phone"])
def test_the_page_can_be_read(page, browser, width):
    """Nothing runs over the edge, no label lies on another, and all text stands out from its ground, light and dark."""
    browser.show(page, width=width)
    assert [width, width] == browser.run("[document.scrollingElement.scrollWidth, innerWidth]")
    assert [] == browser.run(OVERLAPS)
    assert [] == browser.run(SMALL)
    shown = "narrow" if width < 640 else "wide"
    pictures = browser.run("document.querySelectorAll('figure').length")
    widths = f"[...document.querySelectorAll('figure .{shown} svg')].map(s => s.getBoundingClientRect().width)"
    assert pictures == sum(seen > 250 for seen in browser.run(widths)) > 10
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert [] == browser.run(CUT)
    assert width > 640 or [] == browser.run(WITHOUT_HEADING)
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = false; })")
    for dark in (False, True):
        browser.prefer(dark=dark)
        assert [] == browser.run(CONTRAST)


@needs_axe
def test_the_page_has_no_barrier(page, browser):
    """Held against five rows of each table, and without what is inside of the pictures: each is one thing to axe."""
    browser.show(page, width=1280)
    browser.run("document.querySelectorAll('figure svg, tbody tr:nth-child(n+6)').forEach(each => each.remove())")
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert [] == browser.barriers()


def test_the_keyboard_goes_through_the_whole_page_in_its_order_and_shows_where_it_is(page, browser):
    browser.show(page, width=1280)
    browser.run("document.querySelector('#agent_ranking details').open = true")
    number = browser.run(
        f"(() => {{ window.stops = [...document.querySelectorAll('{STOPS}')].filter(each => each.checkVisibility("
        "{contentVisibilityAuto: true})); return stops.length; })()"
    )
    for _ in range(number):
        browser.press("Tab")
        browser.run(
            "(window.visited ??= []).push([document.activeElement, getComputedStyle("
            "document.activeElement).outlineStyle])"
        )
    assert browser.run("visited.map(([each]) => stops.indexOf(each))") == list(range(number))
    assert {"solid"} == set(browser.run("visited.map(([, outline]) => outline)"))


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


@pytest.fixture(scope="module")
def site_pages(sandbox, browser, tmp_path_factory):
    """The index, a team and the scorecard of the agent with most to tell, of a believable centre."""
    folder = tmp_path_factory.mktemp("site")
    addresses = {"zendesk": "https://acme.zendesk.com/agent/tickets/{gradable_id}"}
    pages = list(reports.write_site(sandbox[0], folder, addresses=addresses))
    fullest = max((page for page in pages if page.parent.name == "agents"), key=lambda page: page.stat().st_size)
    return {"index": pages[-1], "team": pages[-2], "scorecard": fullest}


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["index", "team", "scorecard"])
def test_a_page_of_the_site_can_be_read(site_pages, browser, name, width):
    browser.requests.clear()
    browser.show(site_pages[name], width=width)
    assert [width, width] == browser.run("[document.scrollingElement.scrollWidth, innerWidth]")
    assert [] == browser.run(OVERLAPS)
    assert [] == browser.run(SMALL)
    assert [] == browser.run(CUT)
    assert width > 640 or [] == browser.run(WITHOUT_HEADING)
    for dark in (False, True):
        browser.prefer(dark=dark)
        assert [] == browser.run(CONTRAST.replace("'h3,", "'h2, dd, dt, li, blockquote, a, span, h3,"))
    assert [site_pages[name].absolute().as_uri()] == browser.requests
    assert [] == browser.complaints


@needs_axe
@pytest.mark.parametrize("name", ["index", "team", "scorecard"])
def test_a_page_of_the_site_has_no_barrier(site_pages, browser, name):
    browser.show(site_pages[name], width=390)
    assert [] == browser.barriers()


def test_the_search_box_leaves_the_agents_that_match_and_says_how_many(site_pages, browser):
    browser.show(site_pages["index"], width=1280)
    shown = "[...document.querySelectorAll('tbody[data-searched] tr')].filter(row => !row.hidden).length"
    everyone = browser.run(shown)
    name = browser.run("document.querySelector('tbody[data-searched] a').textContent")
    browser.run(
        f"(() => {{ const box = document.querySelector('input'); box.value = {name.upper()!r}; "
        "box.dispatchEvent(new Event('input')); })()"
    )
    assert 1 <= browser.run(shown) < everyone == 40
    assert f"of {everyone}" in browser.run("document.querySelector('[data-found]').textContent")


def test_a_picture_of_the_scorecard_has_the_words_that_say_the_same(site_pages, browser):
    browser.show(site_pages["scorecard"], width=1280)
    words = browser.run("[...document.querySelectorAll('figure > [role=img]')].map(f => f.getAttribute('aria-label'))")
    assert 2 == len(words)
    assert "agents lie between" in words[0]
    assert "weeks from" in words[1]
    assert browser.run("[...document.querySelectorAll('figure svg')].every(s => s.getAttribute('aria-hidden'))")
