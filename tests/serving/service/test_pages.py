"""The pages in headless Chromium: without script, by keyboard, on a phone, in the dark, and what axe-core finds."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = (
    *("/", "/accounts", "/accounts?show=all", "/accounts/a02", "/actions", "/alerts", "/health", "/track-record"),
    *("/kpis", "/cohorts", "/scorecards", "/scenarios", "/behaviours", "/watch"),
    *("/sheets/a02", "/losses", "/losses?cause=price", "/whitespace", "/escalations", "/review"),
    *("/model", "/effects", "/process", "/holdout", "/accounts/nobody", "/sign-in"),
)
CUT_OFF = """() => [...document.querySelectorAll("caption")].filter(caption => {
    const seen = (caption.closest(".scroll") ?? document.documentElement).getBoundingClientRect()
    return caption.getBoundingClientRect().right > seen.right + 1
}).map(caption => caption.textContent)"""
VIEWS = {
    "desk, light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "tablet, light": {"viewport": {"width": 900, "height": 900}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 375, "height": 800}, "color_scheme": "dark"},
}
NO_CHROMIUM = "Chromium is not installed (Debian: apt-get install chromium)"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, running: Any) -> Iterator[Any]:
    """A page without script that remembers which hosts it asked."""
    context = browser.new_context(base_url=running.url, java_script_enabled=False, accept_downloads=True)
    sign_in(context, running.token)
    opened = context.new_page()
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    assert {url.split("/")[2] for url in opened.asked} == {f"127.0.0.1:{running.port}"}, "no other host is asked"
    context.close()


def sign_in(context: Any, token: str) -> Any:
    opened = context.new_page()
    opened.goto("/sign-in")
    opened.get_by_label("Token").fill(token)
    opened.get_by_role("button", name="Sign in").click()
    return opened


@pytest.mark.parametrize("view", VIEWS)
def test_no_accessibility_violation_and_nothing_wider_than_the_screen(browser: Any, running: Any, view: str) -> None:
    from axe_core_python.sync_playwright import Axe

    axe, context = Axe(), browser.new_context(base_url=running.url, bypass_csp=True, **VIEWS[view])
    sign_in(context, running.token)
    opened = context.new_page()
    for path in PAGES:
        opened.goto(path)
        found = axe.run(opened)["violations"]
        assert [(path, rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []
        assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        assert (path, opened.evaluate(CUT_OFF)) == (path, [])
    context.close()


def test_on_a_phone_accounts_and_cuts_are_cards(browser: Any, running: Any) -> None:
    context = browser.new_context(base_url=running.url, **VIEWS["phone, dark"])
    sign_in(context, running.token)
    opened = context.new_page()
    for path, cards in (("/?horizon=6", 4), ("/accounts?show=all", 1)):
        opened.goto(path)
        wide = "tables => tables.map(t => t.closest('.scroll')).map(s => s.scrollWidth - s.clientWidth)"
        assert opened.locator("table.book").evaluate_all(wide) == [0] * cards
        assert opened.locator("table.book thead").first.bounding_box()["x"] < -1000, (
            "each figure has its name beside it"
        )
    context.close()


def test_from_the_first_page_to_an_account_and_back(page: Any) -> None:
    page.goto("/")
    assert page.title() == "Home – Holdfast"
    assert page.get_by_role("heading", level=1).inner_text().startswith("We expect to keep")
    cards = page.locator(".cards li").all_inner_texts()
    assert [card.split("\n")[0] for card in cards[:3]] == ["NRR", "GRR", "Logo retention"]
    assert "as of 1 Jan 2026" in page.locator(".kick").inner_text()
    page.get_by_role("link", name="3 months").click()
    assert page.get_by_role("link", name="3 months").get_attribute("aria-current") == "true"
    page.get_by_role("link", name="All accounts", exact=True).first.click()
    page.locator("table.book tbody a").first.click()
    assert page.get_by_role("heading", name="Why").first.is_visible()
    assert page.get_by_role("img", name="Active users by month").is_visible()
    assert page.get_by_role("img", name="What happened from").is_visible()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Accounts").click()
    assert page.url.endswith("/accounts")


def click_through(page: Any, link: Any) -> None:
    """Click, and go on once the page that it leads to is there: what is read at once would be of the page before."""
    with page.expect_navigation():
        link.click()


def test_filter_sort_and_page_through_the_book(page: Any) -> None:
    page.goto("/accounts?show=all")
    page.get_by_label("Segment").select_option("large")
    page.get_by_label("Horizon, months").select_option("3")
    click_through(page, page.get_by_role("button", name="Show"))
    table = page.locator("table.book")
    assert set(table.locator("td[data-name=Segment]").all_inner_texts()) == {"large"}
    click_through(page, table.get_by_role("link", name="ARR", exact=True))
    amounts = [float(text.replace(",", "")) for text in table.locator("td[data-name=ARR]").all_inner_texts()]
    assert amounts == sorted(amounts, reverse=True)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    click_through(page, table.get_by_role("link", name="ARR", exact=True))
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert set(table.locator("td[data-name=Segment]").all_inner_texts()) == {"large"}, "the filter stays"
    page.get_by_label("Name or id").fill("no such name")
    click_through(page, page.get_by_role("button", name="Show"))
    assert "No account matches" in page.get_by_role("status").inner_text()


def test_where_script_is_on_the_list_follows_what_is_typed(browser: Any, running: Any) -> None:
    context = browser.new_context(base_url=running.url)
    sign_in(context, running.token)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.goto("/accounts?show=all")
    box = opened.get_by_label("Name or id")
    box.press_sequentially("a02")
    opened.wait_for_url("**search=a02*")
    assert opened.locator("table.book tbody tr").count() == 1
    assert opened.get_by_role("heading", level=1).inner_text() == "1 account matches"
    assert opened.locator("#told").inner_text() == "1 account matches"
    ranked = opened.get_by_role("navigation", name="Order").get_by_role("link").first
    assert "search=a02" in str(ranked.get_attribute("href")), "the links beside the list go on from what was typed"
    assert box.evaluate("box => box === document.activeElement"), "one can type on"
    box.press_sequentially("x")
    opened.get_by_text("No account matches").wait_for()
    box.fill("")
    opened.get_by_text("No account matches").wait_for(state="detached")
    assert opened.locator("table.book tbody tr").count() > 1
    assert complaints == [], "the policy lets it run"
    context.close()


def test_an_awkward_id_can_be_opened(page: Any) -> None:
    page.goto("/accounts?search=%C3%A9")
    page.locator("table.book tbody a").first.click()
    assert page.locator(".kick").inner_text().startswith("a/06 é?#%")


@pytest.mark.parametrize(("kind", "start"), [("CSV", b'"account_id",'), ("XLSX", b"PK")])
def test_what_is_filtered_is_downloaded(page: Any, kind: str, start: bytes) -> None:
    page.goto("/accounts?segment=small")
    with page.expect_download() as waiting:
        page.get_by_role("link", name=f"These accounts as {kind}").click()
    content = waiting.value.path().read_bytes()
    assert waiting.value.suggested_filename == f"holdfast-accounts-2026-01-01.{kind.lower()}"
    assert content.startswith(start)
    if kind == "CSV":
        assert b'"large"' not in content
        assert b'"small"' in content


def test_by_keyboard(page: Any) -> None:
    page.goto("/accounts")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main"), "the first stop skips to the content"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator("table.book tbody a:focus").count():
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/*")


def test_the_model_page_says_how_good_it_is(page: Any) -> None:
    page.goto("/model")
    assert "learned from what was known before 2026-01-01" in page.locator(".sub").inner_text()
    assert "No backtest is recorded: run holdfast backtest" in page.locator("main").inner_text()


def test_signing_in_and_out_with_a_csm_s_token(browser: Any, running: Any) -> None:
    from serving.access.tokens import Tokens
    from serving.publication import publication_file

    _, secret = Tokens(publication_file.folder_of(running.place.params.data_dir)).issue("ada", "csm", "Ada A.")
    context = browser.new_context(base_url=running.url, java_script_enabled=False)
    opened = sign_in(context, secret)
    assert opened.locator(".kick").inner_text().startswith("Book of Ada A.")
    opened.goto("/accounts")
    assert set(opened.locator("td[data-name=CSM]").all_inner_texts()) == {"Ada A."}
    assert opened.get_by_label("CSM").count() == 0
    opened.get_by_role("button", name="Sign out").click()
    assert opened.get_by_role("heading", level=1).inner_text() == "Sign in"
    context.close()
