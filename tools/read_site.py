"""Read the built site in a browser: `python tools/read_site.py _docs [PAGE ...] [--shots FOLDER] [--browser PROGRAM]`.

Needs `pip install playwright` and a Chromium. Every page is opened at the address that it is published at, on a wide
window and on the window of a telephone, in light and in dark; the files come from the folder, nothing from a network.
A fault is: an error of JavaScript, a request to another host or for a file that is not there, an image that does not
load, a page wider than its window, a link or an anchor inside the site that leads nowhere. The first screen of the
front page must show what it is for, and the search must find what people look for. Exit status 1 if there is a fault.
"""

import argparse
import mimetypes
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

TOP = Path(__file__).resolve().parent.parent
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SCHEMES = {"light": "default", "dark": "alternate"}  # and how Quarto names them
PROGRAMS = "chromium", "chromium-browser", "google-chrome", "chrome"
QUIET = "--disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
#: What people look for, and the page that the search must offer.
SEARCHES = {
    "train on my photos": "tutorial.html",
    "load a checkpoint": "models/io.html",
    "Fréchet": "metrics/distribution.html",
}
#: In what order the front page shows what it is for, and the selector of each.
FRONT = {
    "the question": "#title-block-header",
    "the answer": "#quarto-document-content .cell p:has(strong)",
    "the buttons": "#quarto-document-content p:has(a.btn)",
    "the figure": "#fig-first img",
    "the table": "#quarto-document-content table",
}
#: Load every image, also those far below the window, and list those that do not.
LOAD_IMAGES = """async () => {
    const images = [...document.images]
    images.forEach(i => i.loading = 'eager')
    const loaded = Promise.all(images.map(i => i.decode().catch(() => 0)))
    await Promise.race([loaded, new Promise(r => setTimeout(r, 10000))])
    return images.filter(i => !i.naturalWidth).map(i => i.src.slice(0, 120))
}"""
#: The elements that reach beyond the window, without those that scroll or are cut by an element around them.
TOO_WIDE = """() => {
    const page = document.documentElement, room = page.clientWidth
    if (page.scrollWidth <= room) return []
    const held = e => e && e !== document.body && (getComputedStyle(e).overflowX !== 'visible' || held(e.parentElement))
    const wide = [...document.body.querySelectorAll('*')]
        .filter(e => e.getBoundingClientRect().right > room + 1 && !held(e.parentElement))
    return [`${page.scrollWidth} pixels: ` + wide.slice(-3).map(e => e.outerHTML.slice(0, 100)).join(' ')]
}"""
ANCHORS = "() => [...document.querySelectorAll('[id], a[name]')].flatMap(e => [e.id, e.getAttribute('name')])"
LINKS = "() => [...document.querySelectorAll('a[href]')].map(e => e.href)"
BOXES = """front => Object.entries(front).map(([name, selector]) => {
    const box = document.querySelector(selector)?.getBoundingClientRect()
    return [name, box && box.height ? [box.top + scrollY, box.bottom + scrollY] : null]
})"""


def site_url() -> str:
    "The address of the published site, as nbdev.yml says."
    lines = (TOP / "nbs/nbdev.yml").read_text(encoding="utf-8").splitlines()
    return next(line.split(":", 1)[1].strip(' "') for line in lines if "site-url:" in line).rstrip("/") + "/"


def file_of(site: Path, home: str, url: str) -> "Path | None":
    "The file that an address of the site means; None for an address of another site."
    if not (url + "/").startswith(home):
        return None
    path = site / unquote(urlsplit(url).path)[len(urlsplit(home).path) :]
    return path / "index.html" if path.is_dir() else path


class Reader:
    "A window of a browser that reads the site, and the faults that it found."

    def __init__(self, site: Path, home: str, browser, scheme: str):
        self.site, self.home, self.scheme, self.faults = site, home, scheme, []
        self.anchors, self.links = {}, {}  # by page
        context = browser.new_context(viewport=WIDE)
        context.add_init_script(f"localStorage.setItem('quarto-color-scheme', '{SCHEMES[scheme]}')")
        context.route("**/*", self.answer)
        self.window = context.new_page()
        self.window.on("pageerror", lambda error: self.fault(f"JavaScript: {error}"))
        self.window.on("console", lambda m: m.type == "error" and self.fault(f"console: {m.text}"))

    def fault(self, text: str, page: str = "") -> None:
        "Print a fault of a page, of the open one if none is named, and remember it."
        size = f"{self.scheme}, {self.window.viewport_size['width']}"
        text = f"{page or self.window.url.removeprefix(self.home)} ({size}): {text}"
        if text not in self.faults:
            self.faults.append(text)
            print(text, flush=True)

    def answer(self, route) -> None:
        "Give the browser a file of the site, and nothing else."
        path = file_of(self.site, self.home, route.request.url)
        if path is not None and path.is_file():
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            route.fulfill(body=path.read_bytes(), content_type=kind)
            return
        what = "a request for a file that is not there" if path else "a request to another host"
        self.fault(f"{what}: {route.request.url}")
        route.abort()

    def read(self, name: str, shots: "Path | None") -> None:
        "Open one page, wide and narrow."
        self.window.set_viewport_size(WIDE)
        self.window.goto(self.home + name)
        if ("quarto-dark" in self.window.evaluate("document.body.className")) != (self.scheme == "dark"):
            self.fault("the page is not in the colours that were asked for")
        for src in self.window.evaluate(LOAD_IMAGES):
            self.fault(f"an image that does not load: {src}")
        self.anchors[name] = set(self.window.evaluate(ANCHORS))
        self.links[name] = self.window.evaluate(LINKS)
        for size in (WIDE, PHONE):
            self.window.set_viewport_size(size)
            self.window.wait_for_timeout(100)
            for text in self.window.evaluate(TOO_WIDE):
                self.fault(f"wider than the window: {text}")
            if name == "index.html":
                self.read_front()
            if shots:
                file = f"{name.removesuffix('.html').replace('/', '-')}-{size['width']}-{self.scheme}.png"
                self.window.screenshot(path=shots / file, full_page=True)

    def read_front(self) -> None:
        "Wide: all that the front page is for is in the first screen. On a telephone: one thing below the other."
        wide, above = self.window.viewport_size == WIDE, 0
        for name, box in self.window.evaluate(BOXES, FRONT):
            if box is None:
                self.fault(f"{name} is missing")
            elif wide and box[1] > WIDE["height"]:
                self.fault(f"{name} ends at {box[1]:.0f}, below the first screen")
            elif not wide and box[0] < above:
                self.fault(f"{name} begins at {box[0]:.0f}, above the end of what comes before it")
            above = box[1] if box else above
        count = {"tbody tr": range(1, 7), "a.btn": range(3, 4)}
        for selector, wanted in count.items():
            found = self.window.locator(f"#quarto-document-content {selector}").count()
            if found not in wanted:
                self.fault(f"{found} times {selector}; {wanted.start} to {wanted.stop - 1} are wanted")

    def read_links(self) -> None:
        "Do the links inside the site lead somewhere? The anchors are those that scripts left behind."
        files = {file_of(self.site, self.home, self.home + name): name for name in self.anchors}
        for page, links in self.links.items():
            for link in dict.fromkeys(links):
                url, anchor = urldefrag(link)
                path = file_of(self.site, self.home, url)
                if path is None:
                    continue
                if not path.is_file():
                    self.fault(f"a link to {link}, which is not there", page)
                elif anchor and path in files and unquote(anchor) not in self.anchors[files[path]]:
                    self.fault(f"a link to {link}: that page has no such anchor", page)

    def search(self) -> None:
        "Type what people look for, and compare the pages that are offered."
        self.window.set_viewport_size(WIDE)
        for query, wanted in SEARCHES.items():
            self.window.goto(self.home + "index.html")
            self.window.locator("#quarto-search button").first.click()
            self.window.locator(".aa-Input").fill(query)
            self.window.wait_for_timeout(1500)
            links = self.window.locator(".aa-Panel a[href]").evaluate_all("links => links.map(a => a.href)")
            names = list(dict.fromkeys(link.removeprefix(self.home).split("?")[0] for link in links))
            if wanted not in names:
                self.fault(f"the search for «{query}» does not offer {wanted}, but {names[:5]}")


def main() -> None:
    "Print every fault; fail if there is one."
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("pages", nargs="*", help="pages to read, as results.html; all if none is given")
    parser.add_argument("--shots", type=Path, help="folder for an image of every page")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, PROGRAMS)), None))
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    site, home = given.site.resolve(), site_url()
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    pages = given.pages or [name for name in names if not name.startswith("site_libs/")]
    if given.shots:
        given.shots.mkdir(parents=True, exist_ok=True)
    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.browser, args=QUIET.split(), chromium_sandbox=False)
        for scheme in SCHEMES:
            reader = Reader(site, home, browser, scheme)
            for name in pages:
                reader.read(name, given.shots)
            if scheme == "light":
                reader.read_links()
                reader.search()
            faults += reader.faults
        browser.close()
    print(f"{len(pages)} pages read, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
