"""Search finds statements by their numbers, by those of the papers, and by their titles; and leads to the place."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from asked import QUERIES

pytestmark = pytest.mark.browser


def results(page, root: str, query: str):
    """The links that a query gives, once the page has finished."""
    page.goto(f"{root}/search.html?q={quote(query)}")
    page.wait_for_function("() => document.querySelector('.search-summary')?.innerText")
    return page.locator("ul.search li > a:first-child")


def where(link, root: str) -> str:
    return link.evaluate("e => e.href").removeprefix(root + "/").replace("?highlight=", "")


@pytest.fixture(scope="module")
def search_page(open_page):
    with open_page("search") as page:
        yield page


@pytest.mark.parametrize("query, wanted", QUERIES)
def test_statements_are_found(search_page, site, query, wanted):
    found = results(search_page, site, query)
    assert wanted in [where(link, site) for link in found.all()[:3]]


def test_a_number_is_meant_exactly(search_page, site):
    """Lemma 2 is not Lemma 20, and Theorem 10 is not in 2.1.0."""
    titles = [link.inner_text() for link in results(search_page, site, "Lemma 2.2.5").all()]
    assert "Lemma 2.2.5" in titles[0] and not any("Lemma 2.2.4" in title for title in titles)


def test_a_result_leads_to_the_place(search_page, site):
    """Also when formulas, set after the start, have moved it."""
    results(search_page, site, "Lemma 20: a sufficient regularization").first.click()
    search_page.wait_for_url("**/proofs-2.html*#lemma-20-a-sufficient-regularization")
    search_page.evaluate("() => window.MathJax.startup.promise.then(() => true)")
    search_page.wait_for_function("""() => {
      const top = document.querySelector(':target').getBoundingClientRect().top;
      return top >= 0 && top < innerHeight / 2;
    }""")


def test_nothing_found_is_said(search_page, site):
    assert results(search_page, site, "zzzz").count() == 0
    assert "did not match" in search_page.locator(".search-summary").inner_text()


def test_a_query_is_text(search_page, site):
    """What stands in the address is never run or put into the page as HTML."""
    results(search_page, site, "<img src=x onerror=document.title='run'>")
    assert search_page.locator("article img[src=x], #search-results img").count() == 0
    assert search_page.title() != "run"
