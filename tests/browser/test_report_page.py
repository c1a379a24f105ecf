"""The report's page in headless Chromium: nothing overlaps, nothing is cut off, no chart is empty, at several widths, in both languages and themes.

The pictures are left in build/screenshots/ for people.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HUSSAR_BUILD", ROOT / "build"))
SHOTS = BUILD / "screenshots"
CHECKS = (pathlib.Path(__file__).parent / "page_checks.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    for program in ("chromium", "chromedriver"):
        assert shutil.which(program), f"no {program}: tools/setup long installs it"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # As root there is no sandbox; the page is our own.
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folders = {}
    for kind in ("article", "limited", "bare"):
        folders[kind] = tmp_path_factory.mktemp(kind)
        subprocess.run([BUILD / "demo_report", kind, folders[kind]], check=True)
    return folders


def resize(browser, width, height):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    )


def open_page(browser, folder, width, query=""):
    resize(browser, width, 900)
    browser.get(f"file://{folder}/index.html{query}")
    browser.execute_script(CHECKS)
    messages = browser.get_log("browser")
    assert messages == [], messages


def keep_picture(browser, name, width):
    height = browser.execute_script("return document.documentElement.scrollHeight")
    resize(browser, width, height)
    browser.execute_script("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))


@pytest.mark.parametrize("kind", ["article", "limited", "bare"])
@pytest.mark.parametrize("width", [360, 390, 820, 1280, 1920])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_overlaps_overflows_or_is_empty(browser, reports, kind, width, language, theme):
    open_page(browser, reports[kind], width, f"?lang={language}&theme={theme}")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for check in ("overflowing", "overlapping", "cutOff", "emptyCharts", "crowdedTicks"):
        assert browser.execute_script(f"return checks.{check}()") == [], check
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme
    keep_picture(browser, f"report-{kind}-{width}-{language}-{theme}", width)


def test_charts_are_drawn_by_the_data(browser, reports):
    open_page(browser, reports["article"], 1280)
    results = json.loads((reports["article"] / "results.json").read_text(encoding="utf-8"))
    own = sum(len(section["charts"]) for section in results["sections"])
    assert browser.execute_script("return document.querySelectorAll('canvas').length") == own + 8  # and six of the server, two of the client


def test_the_choice_of_language_and_theme_is_remembered(browser, reports):
    open_page(browser, reports["article"], 1280)
    press = "[...document.querySelectorAll('.segmented button')].find((b) => b.textContent === arguments[0]).click()"
    browser.execute_script(press, "中文")
    browser.execute_script(press, "深色")
    browser.refresh()
    state = "return [document.documentElement.lang, document.documentElement.dataset.theme]"
    assert browser.execute_script(state) == ["zh-CN", "dark"]
    browser.execute_script(press, "EN")
    browser.execute_script(press, "Auto")
    browser.refresh()
    assert browser.execute_script(state)[0] == "en"


def test_hostile_texts_run_nothing(browser, reports):
    open_page(browser, reports["limited"], 1280)
    assert browser.title == "SmolLM2-135M-Instruct · hussar bench"
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0
    assert browser.execute_script("return document.querySelector('[role=alert]').textContent").startswith("Warnings")


def test_paper_gets_light_charts_of_its_own_width(browser, reports):
    open_page(browser, reports["article"], 1280, "?theme=dark")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script("return document.documentElement.dataset.theme") == "light"
    assert browser.execute_script("return checks.emptyCharts()") == []
    assert browser.execute_script("return Math.max(...[...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().right))") <= 716
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script("return document.documentElement.dataset.theme") == "dark"
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True})
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / "report-article.pdf").write_bytes(base64.b64decode(pdf["data"]))
    assert browser.get_log("browser") == []
