# SPDX-License-Identifier: Apache-2.0
"""The page in a real Chromium, without a network and without a graphics card."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from ask_scene import small_map
from box_world import BoxWorld, still
from numpy.typing import NDArray

pytest.importorskip("websockets", reason="needs the extra [web]")

from chromium import PATIENCE_S, Tab, chromium

from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.web.server import PageServer

PICTURE = "document.querySelector('#picture')"
GAUSSIANS = "Number(document.body.dataset.count)"


@pytest.fixture(scope="module")
def perception() -> Perception:
    return small_map()


@pytest.fixture(scope="module")
def page(perception: Perception) -> Iterator[PageServer]:
    with ThreadPoolExecutor(1) as owner:
        made = PageServer(perception, owner, token="secret", rate_hz=10)
        yield made
        made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with chromium() as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab, page: PageServer) -> Iterator[Tab]:
    """The page, opened anew, with its first picture; at the end nothing was complained of."""
    browser.errors.clear()
    browser.open(page.url)
    browser.until(f"{GAUSSIANS} > 0")
    yield browser
    browser.js("0")  # (what it has complained of comes before the answer)
    assert browser.errors == []


def seen(tab: Tab, selector: str = "#view") -> NDArray[np.int16]:
    """What can be seen of an element [H, W, 3], red first, once it is drawn."""
    tab.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    box = tab.js(
        f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
        " return [b.x, b.y, b.right, b.bottom].map(Math.round); })()"
    )
    image = cv2.imdecode(np.frombuffer(tab.png(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    left, top, right, bottom = box
    return image[top:bottom, left:right, ::-1].astype(np.int16)


def bare(tab: Tab) -> None:
    """Take away all that is drawn over the map."""
    for name in ("boxes", "path"):
        if tab.js(f"document.querySelector('#{name}').ariaPressed") == "true":
            tab.press(f"#{name}")
    tab.js("document.querySelectorAll('#tools, #hint, #busy').forEach((e) => e.remove())")


def middle_of(tab: Tab, reddish: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(reddish)
    x, y = tab.js(
        "(() => { const b = document.querySelector('#view').getBoundingClientRect();"
        " return [b.x, b.y]; })()"
    )
    return x + float(columns.mean()), y + float(rows.mean())


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_red(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    return (picture[..., 0] > 120) & (picture[..., 1:].max(-1) < 90)


def test_the_page_draws_what_the_map_draws(tab: Tab) -> None:
    tab.press("#exact")
    tab.until(
        "document.querySelector('#picture').complete && !document.querySelector('#picture').hidden"
    )
    bare(tab)
    own = seen(tab)
    tab.js("document.querySelector('#picture').remove()")
    drawn = seen(tab)
    assert own.std() > 10
    # (where there is nothing the map is black and the page is not quite)
    assert np.abs(own - drawn).mean() < 12
    assert np.median(np.abs(own - drawn)) < 6
    assert (is_red(own) & is_red(drawn)).sum() > 0.9 * is_red(own).sum() > 0


def test_a_prompt_is_typed_and_its_mask_seen(tab: Tab) -> None:
    before = seen(tab)
    tab.type("#find-text", "red thing, yellow thing, gibberish")
    tab.until("document.querySelectorAll('#answers .badge').length === 3")
    tab.until("!document.querySelector('#answers').innerText.includes('…')")
    tab.until("!document.querySelector('#mask').hidden")
    badges = tab.js("[...document.querySelectorAll('#answers .badge')].map((e) => e.innerText)")
    assert badges[0].startswith("present 0.")
    assert badges[1].split()[0] in ("not", "unsure")
    assert badges[2] == "not understood"
    tab.until("document.querySelector('#mask').complete")
    tinted = np.abs(seen(tab) - before).max(-1) > 40
    red = cv2.dilate(is_red(before).astype(np.uint8), np.ones((15, 15))) > 0
    assert tinted[red].sum() > 200
    assert tinted[red].sum() > 0.9 * tinted.sum()
    tab.press("#answers li .drop")
    tab.until("document.querySelectorAll('#answers .badge').length === 2")


def test_the_slider_goes_back_in_time(tab: Tab, perception: Perception) -> None:
    now = tab.js(GAUSSIANS)
    assert now == len(perception.snapshot())
    x, y = tab.middle("#time")
    tab.click(x, y)  # where the green thing is there
    tab.until(f"{GAUSSIANS} !== {now}")
    at = float(tab.text("#time-text").split()[0])
    assert at == pytest.approx(1.45, abs=0.1)
    green = seen(tab)
    assert ((green[..., 1] > 90) & (green[..., [0, 2]].max(-1) < 70)).sum() > 50
    tab.press("#now")
    tab.until(f"{GAUSSIANS} === {now}")
    assert tab.text("#time-text").startswith("2.90")


def test_a_click_selects_a_thing(tab: Tab) -> None:
    tab.click(*middle_of(tab, is_red(seen(tab))))
    tab.until("document.querySelector('#clicked-text').innerText.includes('middle')")
    assert tab.text("#clicked-text").startswith("red thing #")
    tab.until("!document.querySelector('#click-mask').hidden")
    tab.press("#clicked-clear")
    tab.until("document.querySelector('#clicked').hidden")
    assert tab.js("document.querySelector('#click-mask').hidden")


def test_a_thing_of_the_list_is_told_about(tab: Tab) -> None:
    tab.until("document.querySelectorAll('#thing-list [data-id]').length >= 2")
    tab.press("#thing-list [data-id]")
    tab.until("document.querySelector('#thing-list [aria-pressed=true]') !== null")
    said = tab.text("#thing-list [aria-pressed=true]")
    assert "thing" in said
    assert "size" in said
    assert "first seen at" in said


def test_a_question_is_answered_with_what_it_rests_on(tab: Tab) -> None:
    tab.type("#ask-text", "How far is the red thing from the blue thing?")
    tab.until("document.querySelector('#said .go') !== null")
    assert " m" in tab.text("#said .told")
    assert tab.js("document.querySelectorAll('#said details li').length") > 0
    tab.type("#ask-text", "What is the meaning of life?")
    tab.until("document.querySelector('#said .not-understood') !== null")


def test_a_drag_turns_the_view_and_the_wheel_zooms(tab: Tab) -> None:
    first = seen(tab)
    middle = tab.middle("#view")
    tab.drag(middle, (60, 0))
    turned = seen(tab)
    assert np.abs(turned - first).mean() > 3
    assert tab.js("document.querySelector('#clicked').hidden")  # it was no click
    tab.call(
        "Input.dispatchMouseEvent", type="mouseWheel", x=middle[0], y=middle[1], deltaX=0,
        deltaY=-240,
    )  # fmt: skip
    wait_until(lambda: bool(np.abs(seen(tab) - turned).mean() > 3))
    tab.press("#robot")  # (what was drawn coarsely while it moved is drawn anew)
    wait_until(lambda: bool(np.abs(seen(tab) - first).mean() < 2))


def test_text_of_others_is_never_markup(tab: Tab) -> None:
    tab.type("#find-text", "<img src=x onerror=alert(1)>")
    tab.until("document.querySelector('#answers .not-understood') !== null")
    assert tab.js("document.querySelectorAll('#answers img').length") == 0
    assert "<img" in tab.text("#answers")


def test_the_page_comes_back_after_the_map_was_away(browser: Tab, perception: Perception) -> None:
    with ThreadPoolExecutor(1) as owner:
        first = PageServer(perception, owner)
        browser.open(first.url)
        browser.until(f"{GAUSSIANS} > 0")
        first.close()
        browser.until("!document.querySelector('#message').hidden")
        assert "f4x was stopped" in browser.text("#message")
        second = PageServer(perception, owner, port=first.port)
        browser.until("document.querySelector('#message').hidden")
        second.close()


def test_the_page_follows_a_map_that_grows_and_stays_at_a_past_moment(browser: Tab) -> None:
    options = {"features.extractor": "color", "mapping.iterations": 1, "mapping.resolution": 96}
    growing = Perception(Config.from_dotted(options), ["red thing"])
    world = BoxWorld({"red": still(-0.4, 0.0, 1.6)})
    with ThreadPoolExecutor(1) as owner:
        page = PageServer(growing, owner, rate_hz=20)
        browser.errors.clear()
        browser.open(page.url)
        browser.until("document.querySelector('#message').innerText.startsWith('No frame')")
        for index in range(3):
            owner.submit(growing.process, world(index)).result()
        browser.until(f"{GAUSSIANS} > 0 && document.querySelector('#message').hidden")
        browser.until("document.querySelector('#time-text').innerText.startsWith('0.20 of')")
        owner.submit(growing.process, world(3)).result()
        browser.until("document.querySelector('#time-text').innerText.startsWith('0.30 of')")
        browser.until("document.querySelectorAll('#thing-list [data-id]').length === 1")
        browser.click(*browser.middle("#time"))
        browser.until("document.querySelector('#time-text').innerText.startsWith('0.15 of')")
        owner.submit(growing.process, world(4)).result()
        browser.until("document.querySelector('#time-text').innerText === '0.15 of 0.40 s'")
        assert browser.errors == []
        page.close()


def test_without_webgl_pictures_come_from_the_map(page: PageServer) -> None:
    with chromium((900, 600), "--disable-3d-apis") as tab:
        tab.open(page.url)
        tab.until("!document.querySelector('#picture').hidden")
        assert "no WebGL" in tab.text("#hint")
        tab.until("document.querySelector('#picture').complete")
        assert is_red(seen(tab)).sum() > 50
