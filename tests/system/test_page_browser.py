"""The operator's page in a real browser, at a real gateway, from login to logout."""

import contextlib
import json

import pytest

from host_tools.setup import browser

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=20_000)

AS = "as@example.org"
BOARD, PUMP = "meter-1@example.org", "pump-7@example.org"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# Pixels that a finger hits (WCAG 2.2, 2.5.5).
FINGER = 44


@pytest.fixture
async def chromium():
    program = browser.find()
    if program is None:
        pytest.skip("no Chromium is here; `make browser` says why")
    async with playwright.async_playwright() as driver:
        running = await driver.chromium.launch(executable_path=program, args=list(browser.ARGUMENTS))
        yield running
        await running.close()


class Operator:
    """Somebody with a browser; what the browser complains about is a mistake of the page."""

    def __init__(self, chromium, gateway):
        self._chromium = chromium
        self._gateway = gateway
        self.complaints = []
        self.elsewhere = []

    async def start(self, viewport, **options):
        context = await self._chromium.new_context(viewport=viewport, accept_downloads=True, **options)
        self.page = await context.new_page()
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        await self.page.goto(self._gateway.url)
        return self

    def _asked(self, request):
        if not request.url.startswith(self._gateway.url):
            self.elsewhere.append(request.url)

    @property
    def key(self):
        return (self._gateway.directory / "gateway.sqlite.operator").read_text().strip()

    async def log_in(self, key=None):
        await self.page.get_by_label("Operator key").fill(key or self.key)
        await self.page.get_by_role("button", name="Log in").click()

    async def go(self, name):
        await self.page.get_by_role("link", name=name, exact=True).click()

    def row(self, name):
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name))

    async def do(self, what):
        await self.page.locator("summary", has_text=what).click()
        await self.page.get_by_role("button", name=what).click()
        await expect(self.page.get_by_role("status")).to_be_visible()


@pytest.fixture
async def site(place):
    gateway, server = await place.gateway_and_server()
    return gateway, await place.application_server(server, AS)


async def test_from_login_to_logout(place, site, chromium):
    gateway, application_server = site
    operator = await Operator(chromium, gateway).start(DESK)
    page = operator.page

    await operator.log_in("not-the-operator-key")
    await expect(page.get_by_role("alert")).to_have_text("That is not the operator key.")
    # The browser says that of a 401.
    assert len(operator.complaints) == 1 and "401" in operator.complaints.pop()
    await operator.log_in()
    await expect(page.get_by_text("No device yet")).to_be_visible()
    await expect(page.get_by_text("registered at the server")).to_be_visible()

    # What happens is seen without anything being loaded anew.
    board = await place.board(BOARD, gateway)
    row = operator.row(BOARD)
    await expect(row).to_contain_text("registered")
    await expect(row).to_contain_text("UDP 127.0.0.1:")
    await operator.go("Messages")
    await board.send("23.5 C", **{"as": AS})
    delivered = page.get_by_role("row").filter(has_text="message delivered")
    await expect(delivered.filter(has_text=AS)).to_have_count(1)
    await page.get_by_label("Kind").select_option("event")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("row").filter(has_text="client registered")).to_have_count(1)
    await expect(delivered).to_have_count(0)
    await page.get_by_label("Kind").select_option("")
    await page.get_by_label("Direction").select_option("up")
    await page.get_by_role("button", name="Show").click()
    await expect(delivered).not_to_have_count(0)
    await expect(page.locator("tr.down")).to_have_count(0)
    await operator.go("Counters")
    await expect(page.locator("dt[title=messages_up] + dd")).not_to_have_text("0")

    device = await enrol(operator, place.directory)
    watch = place.program("watch", "--device", device)
    await watch.start()
    await watch.line()
    await operator.go("All devices")
    await expect(operator.row(PUMP)).to_contain_text("registered")
    await page.get_by_label("Name").fill("PUMP")
    await page.get_by_role("button", name="Show").click()
    await expect(operator.row(BOARD)).to_have_count(0)

    # Messages for a device that is gone without a word wait, and are thrown away.
    await watch.kill()
    for number in range(3):
        await application_server.send(f"on {number}", PUMP, True)
    await operator.row(PUMP).get_by_role("link").click()
    waiting = page.locator("dt", has_text="Waiting for it").locator("+ dd")
    await expect(waiting).to_contain_text("3")
    await operator.do("Flush its queue")
    await expect(waiting).not_to_contain_text("3")
    assert gateway.metrics()["flushed"] == 2

    await operator.do("De-register")
    await expect(page.locator("#facts")).to_contain_text("not registered")
    await operator.do("Revoke")
    await expect(page.locator("#facts")).to_contain_text("revoked")
    send = place.program("send", "x", "--device", device, "--to-as", AS, "--wait", "2")
    assert await send.run() != 0
    assert gateway.metrics()["down_oscore_revoked"] > 0

    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert operator.complaints == [] == operator.elsewhere
    assert json.loads(device.read_text())["oscore"]["master_secret"] not in gateway.errors()
    assert operator.key not in gateway.errors()


async def enrol(operator, directory):
    """Enrol the pump; returns the file that the browser was given, once."""
    page = operator.page
    await operator.go("Devices")
    await operator.go("Enrol a device")
    await page.get_by_label("UE Service ID").fill(PUMP)
    await page.get_by_role("button", name="Enrol").click()
    download = page.get_by_role("button", name="Download device.json")
    async with page.expect_download() as loading:
        await download.click()
    file = await loading.value
    assert file.suggested_filename == "device.json"
    path = directory / "device.json"
    await file.save_as(path)
    await download.click()
    await expect(page.get_by_role("heading", name="It is gone")).to_be_visible()
    assert "410" in operator.complaints.pop()
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_everything_fits_and_can_be_hit(place, site, chromium, scheme):
    gateway, _ = site
    operator = await Operator(chromium, gateway).start(PHONE, color_scheme=scheme, has_touch=True)
    page = operator.page
    await operator.log_in()
    gateway.enrol(BOARD, place.directory / "device.json")
    for path in ("/", "/messages", "/counters", "/enrol", f"/device?ue={BOARD}"):
        await page.goto(gateway.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
        for one in await page.locator("header a:not(.skip), button, summary, input:visible, select").all():
            if await one.is_visible():
                box = await one.bounding_box()
                assert box["height"] >= FINGER and box["width"] >= FINGER, (path, await one.inner_text(), box)
    for colours in await page.evaluate(CONTRASTS):
        assert colours["ratio"] >= 4.5, colours
    assert operator.complaints == [] == operator.elsewhere


# How much text and ground differ (WCAG 2.2, 1.4.3), of every text on a page.
CONTRASTS = """
() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor, of = parts(colour);
      if (of.length == 3 || of[3] > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].filter((node) => node.nodeType == 3).map((node) => node.data).join("").trim();
    if (!text || !one.checkVisibility() || one.closest(".skip, svg")) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    found.push({text, ratio: (a + 0.05) / (b + 0.05)});
  }
  return found;
}
"""


async def test_without_scripts_it_is_a_page_like_any_other(place, site, chromium):
    gateway, _ = site
    operator = await Operator(chromium, gateway).start(DESK, java_script_enabled=False)
    await operator.log_in()
    gateway.enrol(BOARD, place.directory / "device.json")
    with contextlib.suppress(TimeoutError):
        await operator.page.reload()
    await operator.go(BOARD)
    await operator.do("Revoke")
    await expect(operator.page.locator("#facts")).to_contain_text("revoked")
