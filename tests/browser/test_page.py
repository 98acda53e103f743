"""The page in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import free_port, opened, served, serving
from tests.hostile import HOSTILE

GENEGPT = "What is GeneGPT?"
expect.set_options(timeout=20_000)
ANSWERED = "#current article.answered"


def ask(page: Page, question: str, kind: str = "answered") -> None:
    """Ask, and wait until the answer is there."""
    turn = page.locator("#past article").count() + page.locator("#current article").count() + 1
    page.get_by_label("Question").fill(question)
    page.get_by_label("Question").press("Enter")
    page.wait_for_selector(f"#current article.{kind}[data-turn='{turn}']")


def current_marks(page: Page) -> str:
    return "".join(page.locator("#cards mark.current").all_text_contents())


def quote_of(page: Page, address: str, turn: str) -> list[str]:
    """The quotes of an answer's first claim, from its record."""
    id_ = page.locator(f"article[data-turn='{turn}']").get_attribute("data-answer")
    record = httpx.get(f"{address}/api/answers/{id_}", trust_env=False).json()
    return [citation["quote"] for citation in record["claims"][0]["citations"]]


def test_a_footnote_opens_its_card_with_the_quoted_sentence_marked(
    page: Page, address: str
) -> None:
    ask(page, GENEGPT)
    cite = page.locator("#current a.cite").first
    cite.hover()
    [quote] = quote_of(page, address, "1")
    expect(page.locator("#hint")).to_contain_text("GeneGPT: Augmenting")
    expect(page.locator("#hint .quote")).to_have_text(f"“{quote}”")
    cite.click()
    assert current_marks(page) == quote
    expect(page.locator("#cards .card.current mark.current")).to_be_in_viewport()
    expect(page.locator("#cards .card.current")).to_be_focused()
    page.get_by_role("button", name="Back to the answer").click()
    expect(cite).to_be_focused()


def test_earlier_footnotes_work_after_later_answers_and_after_a_reload(
    page: Page, address: str
) -> None:
    ask(page, GENEGPT)
    numbers = page.locator("article[data-turn='1'] a.cite").all_text_contents()
    page.locator("article[data-turn='1'] a.cite").first.hover()
    expect(page.locator("#hint")).to_be_visible()
    ask(page, "How well does it do?")
    expect(page.locator("#hint")).to_be_hidden()
    expect(page.locator("#current .alone")).to_contain_text("GeneGPT")
    page.reload()
    page.wait_for_selector("article.answered[data-turn='2']")
    assert page.locator("article[data-turn='1'] a.cite").all_text_contents() == numbers
    page.locator("article[data-turn='1'] a.cite").first.click()
    page.wait_for_selector("#cards mark.current")
    assert current_marks(page) == quote_of(page, address, "1")[0]
    page.locator("article[data-turn='2'] a.cite").first.click()
    assert current_marks(page) in quote_of(page, address, "2")


def test_a_declined_question_looks_like_one_and_offers_papers(page: Page) -> None:
    ask(page, "How do I prune apple trees in winter?", "declined")
    expect(page.locator("#current .why-not")).to_contain_text("no paper of this collection")
    assert page.locator("#current a.cite").count() == 0
    page.locator("#current a.suggestion").first.click()
    expect(page.locator("#cards .card.current")).to_be_visible()


def test_verdicts_are_told_in_words_and_give_their_reason(page: Page) -> None:
    ask(page, "mixed")
    verdicts = page.locator("#current .verdict")
    assert verdicts.count() == 3
    texts = "".join(verdicts.all_inner_texts())
    assert "unsupported" in texts
    assert "unchecked" in texts
    assert "because Two." not in page.locator("#current").inner_text()
    page.locator("#current .verdict summary").nth(1).click()
    expect(page.locator("#current .why").nth(1)).to_contain_text("Because Two.")


def test_an_answer_can_be_stopped(page: Page) -> None:
    page.get_by_label("Question").fill("go slowly")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#current .pending")).to_contain_text("word")
    expect(page.locator("#current .stage")).to_contain_text("Writing")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#current article.stopped")).to_be_visible(timeout=8_000)
    ask_after = page.get_by_role("button", name="Ask", exact=True)
    expect(ask_after).to_be_visible()


def test_what_was_stopped_is_asked_again_and_nothing_before_it_is_lost(page: Page) -> None:
    ask(page, GENEGPT)
    page.get_by_label("Question").fill("go slowly")
    page.get_by_label("Question").press("Enter")
    expect(page.locator("#current .pending")).to_contain_text("word")
    page.get_by_role("button", name="Stop").click()
    stopped = page.locator("#current article.stopped")
    stopped.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Question")).to_have_value("go slowly")
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    stopped.get_by_role("button", name="Ask again").click()
    expect(page.locator("#current article.writing .asked")).to_have_text("go slowly")
    expect(page.locator("#past article.answered .asked")).to_have_text(GENEGPT)
    page.get_by_role("button", name="Stop").click()
    expect(stopped).to_be_visible()
    page.get_by_label("Question").fill("How well does it do?")
    page.get_by_label("Question").press("Enter")
    page.wait_for_selector(f"{ANSWERED}[data-turn='2']")
    page.reload()
    expect(page.locator("article.answered .asked")).to_have_text([GENEGPT, "How well does it do?"])


def test_a_new_conversation_is_not_disturbed_by_the_answer_that_was_left(page: Page) -> None:
    ask(page, GENEGPT)
    for _ in range(3):
        page.get_by_label("Question").fill("go slowly")
        page.get_by_label("Question").press("Enter")
        expect(page.locator("#current .pending")).to_contain_text("word")
        page.get_by_role("button", name="New", exact=True).click()
        expect(page.locator("#current .start")).to_be_visible()
        page.wait_for_timeout(500)
        expect(page.locator("#current .start")).to_be_visible()
        expect(page.locator("article")).to_have_count(0)
        assert page.evaluate("location.hash") == ""
        ask(page, GENEGPT)


def test_settings_outlast_a_reload(page: Page) -> None:
    page.get_by_role("tab", name="Settings").click()
    author = page.locator("[role='tabpanel']:visible").get_by_label("Author")
    author.fill("Nobody at all")
    page.get_by_role("tab", name="Ask").click()
    page.wait_for_timeout(300)
    page.reload()
    page.wait_for_selector("#current .start")
    ask(page, GENEGPT, "declined")
    page.get_by_role("tab", name="Settings").click()
    expect(author).to_have_value("Nobody at all")


def test_a_comment_is_kept_even_if_the_thumb_before_it_was_not(
    browser: Browser, address: str
) -> None:
    page = browser.new_page()  # not watched: it complains of the refusal
    page.goto(address)
    page.wait_for_selector("#current .start")
    ask(page, GENEGPT)
    actions = page.locator("#current .actions")
    page.route("**/feedback", lambda route: route.fulfill(status=429, json={"error": "busy"}))
    actions.get_by_role("button", name="Bad answer").click()
    expect(actions.get_by_role("status")).to_contain_text("Not kept: busy")
    page.unroute("**/feedback")
    actions.get_by_role("textbox").fill("too long")
    actions.get_by_role("button", name="Save comment").click()
    expect(actions.get_by_role("status")).to_contain_text("Kept")
    expect(actions.get_by_role("button", name="Bad answer")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.close()


def test_a_question_is_edited_and_asked_again(page: Page) -> None:
    ask(page, GENEGPT)
    page.locator("#current").get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Question")).to_have_value(GENEGPT)
    page.get_by_label("Question").fill("How accurate is GeneGPT?")
    page.get_by_role("button", name="Ask instead").click()
    asked = page.locator("article.answered .asked")
    expect(asked).to_have_text(["How accurate is GeneGPT?"])
    page.locator("#current").get_by_role("button", name="Ask again").click()
    expect(page.locator("article.writing, article.answered")).to_have_count(1)
    expect(asked).to_have_text(["How accurate is GeneGPT?"])


def test_an_error_is_told_without_a_trace(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        ask(page, "breaking", "error")
        expect(page.get_by_role("alert")).to_contain_text("is it running?")
        page.get_by_label("Question").fill("crashing")
        page.get_by_label("Question").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("the server's log says what")
        assert "secret" not in page.inner_text("body")


def test_an_answer_is_copied_with_its_references(page: Page) -> None:
    ask(page, GENEGPT)
    page.locator("#current").get_by_role("button", name="Copy").click()
    expect(page.locator("#current").get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(GENEGPT)
    assert "[1] GeneGPT: Augmenting" in copied


@pytest.mark.parametrize(
    ("name", "ending", "holds"),
    [
        ("Markdown", ".md", "[^1]: "),
        ("BibTeX", ".bib", "@misc{"),
        ("RIS", ".ris", "TY  - "),
        ("JSON", ".json", '"claims"'),
    ],
)
def test_an_answer_is_exported(page: Page, name: str, ending: str, holds: str) -> None:
    ask(page, GENEGPT)
    page.locator("#current .export summary").click()
    with page.expect_download() as started:
        page.locator("#current .export").get_by_role("link", name=name, exact=True).click()
    assert started.value.suggested_filename.endswith(ending)
    assert holds in Path(started.value.path()).read_text("utf-8")


def test_feedback_with_a_comment_outlasts_a_reload(page: Page) -> None:
    ask(page, GENEGPT)
    actions = page.locator("#current .actions")
    actions.get_by_role("button", name="Bad answer").click()
    expect(actions.get_by_role("status")).to_contain_text("Kept")
    actions.get_by_role("textbox").fill("the wrong paper")
    actions.get_by_role("button", name="Save comment").click()
    expect(actions.get_by_role("status")).to_contain_text("Kept")
    page.reload()
    pressed = page.locator("#current [aria-pressed='true']")
    expect(pressed).to_have_text("Bad answer")


def test_conversations_are_listed_opened_and_deleted(page: Page) -> None:
    ask(page, GENEGPT)
    page.get_by_role("button", name="New", exact=True).click()
    page.wait_for_selector("#current .start")
    assert page.evaluate("location.hash") == ""
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name=GENEGPT).click()
    expect(page.locator("#current article .asked")).to_have_text(GENEGPT)
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it for good?").click()
    expect(page.locator("#talks")).to_contain_text("None yet")


def test_an_example_question_is_asked_with_one_click(page: Page) -> None:
    examples = page.locator("#current .example")
    expect(examples).to_have_count(4)
    question = examples.first.inner_text()
    examples.first.click()
    expect(page.locator("article.answered .asked")).to_have_text(question)


def test_a_conversation_survives_a_restart_of_the_server(
    browser: Browser, sample_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_home / "sample", tmp_path / "sample")
    port = free_port()
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path / "sample", port) as address:
        page.goto(address)
        page.wait_for_selector("#current .start")
        ask(page, GENEGPT)
    with serving(tmp_path / "sample", port):
        page.reload()
        page.wait_for_selector(ANSWERED)
        page.locator("#current a.cite").first.click()
        assert current_marks(page)
        ask(page, "How well does it do?")
        expect(page.locator("#current .alone")).to_contain_text("GeneGPT")
    context.close()


def test_papers_are_uploaded_found_and_removed(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "<b>bees.jsonl"
    records = [{"title": "Bees of the moon", "abstract": "Moon bees dance."}, {"title": "None"}]
    file.write_text("\n".join(map(json.dumps, records)))
    page.get_by_role("tab", name="Papers").click()
    expect(page.locator("#figures")).to_contain_text("306 papers")
    page.get_by_role("button", name="Add papers").click()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator("#tabs")).to_contain_text("bees")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#added")).to_contain_text("1 added, 1 skipped")
    expect(page.locator("#added")).to_contain_text("bees.jsonl:2")
    expect(page.locator("#figures")).to_contain_text("307 papers")
    page.get_by_label("Find papers").fill("moon bees")
    page.get_by_label("Find papers").press("Enter")
    first = page.locator("#list .paper").first
    expect(first).to_contain_text("Bees of the moon")
    first.locator("summary").click()
    page.get_by_role("button", name="Remove", exact=True).first.click()
    expect(page.locator("#figures")).to_contain_text("307 papers")
    page.get_by_role("button", name="Remove it for good?").click()
    expect(page.locator("#told")).to_contain_text("Removed: Bees of the moon")
    expect(page.locator("#figures")).to_contain_text("306 papers")


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, viewport={"width": 360, "height": 700}) as page:
        ask(page, GENEGPT)
        for tab in ("History", "Papers", "Settings", "Ask"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab
        page.locator("#current a.cite").first.click()
        expect(page.locator("#cards mark.current").first).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_nothing_stands_in_the_way_of_anybody(
    browser: Browser, address: str, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, address, color_scheme=scheme, viewport=size) as page:
        dark = page.evaluate("document.body.classList.contains('dark')")
        assert dark is (scheme == "dark")
        check_axe(page, "start")
        ask(page, GENEGPT)
        page.locator("#current .verdict summary").first.click()
        page.locator("#current a.cite").first.click()
        check_axe(page, "answered")
        ask(page, "How do I prune apple trees in winter?", "declined")
        ask(page, "mixed")
        check_axe(page, "mixed")
        for tab in ("History", "Papers", "Settings"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(500)
            check_axe(page, tab)


def check_axe(page: Page, where: str) -> None:
    """No violation of WCAG 2.1 A and AA."""
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
    page.wait_for_timeout(300)
    found = Axe().run(page, options=options)
    told = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found.response["violations"]
    ]
    assert told == [], where


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.get_by_label("Question").focus()
    page.keyboard.type(GENEGPT)
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED)
    page.locator("#current .verdict summary").first.focus()
    page.keyboard.press("Shift+Tab")
    cite = page.locator("#current a.cite").first
    expect(cite).to_be_focused()
    expect(page.locator("#hint")).to_be_visible()
    assert cite.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Escape")
    expect(page.locator("#hint")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#cards .card.current")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Back to the answer")).to_be_focused()
    page.keyboard.press("Enter")
    expect(cite).to_be_focused()
    page.get_by_role("tab", name="Ask").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="History")).to_have_attribute("aria-selected", "true")


def test_hostile_papers_and_replies_execute_nothing(browser: Browser, hostile_address: str) -> None:
    with opened(browser, hostile_address) as page:
        ask(page, "hostile")
        assert page.locator("#current .claim").count() == len(HOSTILE)
        for cite in page.locator("#current a.cite").all()[:3]:
            cite.hover()
            cite.click()
        ask(page, "Which bees dance in the hive?")
        page.locator("#current a.cite").first.click()
        for text in HOSTILE[:12]:
            ask(page, f"{text} bees?", "turn:not(.writing)")
        page.reload()
        page.wait_for_selector("#past article")
        for tab, shown in (("History", "#talks .talk"), ("Papers", "#list .paper")):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_selector(shown)
        for summary in page.locator("#list .paper summary").all()[:5]:
            summary.click()
        assert page.locator("[href^='javascript:']").count() == 0
        assert page.locator("#tabs img, #tabs iframe, #tabs form[action]").count() == 0


def test_other_people_see_nothing_of_a_conversation(browser: Browser, address: str) -> None:
    with opened(browser, address) as mine, opened(browser, address) as theirs:
        ask(mine, GENEGPT)
        place = mine.evaluate("location.hash")
        assert re.fullmatch(r"#c=[0-9a-z]{20}", place)
        theirs.goto(f"{address}/{place}")
        theirs.reload()
        expect(theirs.get_by_role("alert")).to_contain_text("there is no conversation")
        assert "GeneGPT" not in theirs.inner_text("#past")


def test_programs_ask_through_the_pages_own_endpoint(address: str) -> None:
    client = Client(address, verbose=False)
    record = client.predict(GENEGPT, api_name="/ask")
    assert record["format"] == "footnoted-answer/2"
    assert "GeneGPT" in record["text"]
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/ask"]


def test_programs_ask_over_http_while_the_page_is_served(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        answer = client.post("/api/ask", json={"question": GENEGPT}).json()
        assert client.get(f"/api/answers/{answer['id']}").json()["text"] == answer["text"]
        named = {"question": GENEGPT}
        with client.stream(
            "POST", "/api/ask", json=named, headers={"Accept": "text/event-stream"}
        ) as reply:
            names = [line for line in reply.iter_lines() if line.startswith("event:")]
        assert names[0] == "event: understood"
        assert names[-1] == "event: answer"
        assert client.get("/gradio_api/file=/etc/passwd").status_code == 404
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
        assert client.get("/nothing").status_code == 404


def test_footnoted_serve_asks_for_its_password(sample_home: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a long enough password")
    port = free_port()
    command = ("-m", "ui", "serve", "--port", str(port), "--password-file", str(password))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ = {
        "FOOTNOTED_HOME": str(sample_home),
        "FOOTNOTED_COLLECTION": "sample",
        "TMPDIR": str(temporary),
    }
    with served(*command, "--no-history", port=port, **environ) as address:
        assert httpx.get(address, trust_env=False).status_code == 401
        auth = httpx.BasicAuth("me", "a long enough password")
        assert httpx.get(address, auth=auth, trust_env=False).status_code == 200
        assert list(temporary.glob("footnoted-*/uploads"))
    assert not list(temporary.glob("footnoted-*")), "SIGTERM ends it as Ctrl-C does"
    assert not (sample_home / "sample" / "history.sqlite3").exists()
