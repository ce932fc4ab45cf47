"""Finish and check the built site: `python tools/site.py _docs [--strict]`. Only the standard library is used.

Quarto loads two scripts from another host into every page that shows a table of pandas. No page needs them, so they are
taken out. Then every page is checked: it loads nothing from another host. Links and anchors inside the site that lead
nowhere, and pages with more than two megabytes of images, are printed; with `--strict` they are a failure too.
"""

import re
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

IMAGE_BYTES = 2_000_000
NEEDLESS = re.compile(
    r"<script\b[^>]*\bsrc=\"https://[^\"]*/(?:requirejs|jquery|require\.js)[^\"]*\"[^>]*>\s*</script>\s*"
    r"|<script type=\"application/javascript\">define\('jquery'.*?</script>\s*",
    re.DOTALL,
)
#: Tags that load something, and the attribute that names it.
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
FOREIGN = re.compile(r"(?:https?:)?//", re.IGNORECASE)


class Page(HTMLParser):
    "What a page loads, what it links to, and the anchors that it has."

    def __init__(self, text: str):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, str | None]]") -> None:
        values = {k: v or "" for k, v in attrs}
        self.anchors |= {values[k] for k in ("id", "name") if values.get(k)}
        if tag in LOADS and values.get(LOADS[tag]):
            self.loads.append((tag, values[LOADS[tag]]))
        elif tag == "link" and not {"canonical", "next", "prev", "alternate"} & set(values.get("rel", "").split()):
            self.loads.append((tag, values.get("href", "")))
        elif tag == "a" and values.get("href"):
            self.links.append(unescape(values["href"]))


def loading_faults(site: Path, path: Path, page: Page) -> "list[str]":
    "What a page loads from another host, and what it lacks."
    found = []
    for tag, link in page.loads:
        if FOREIGN.match(link):
            found.append(f"<{tag}> loads {link} from another host")
        elif not link.startswith("data:") and not local(site, path, link).is_file():
            found.append(f"<{tag}> loads {link}, which is not there")
    return found


def size_faults(site: Path, path: Path, page: Page) -> "list[str]":
    "Are the images of a page too large?"
    images = {link for tag, link in page.loads if tag == "img"}
    inside = sum(len(link) * 3 // 4 for link in images if link.startswith("data:"))
    files = {local(site, path, link) for link in images if not link.startswith("data:") and not FOREIGN.match(link)}
    size = inside + sum(f.stat().st_size for f in files if f.is_file())
    return [f"{size:,} bytes of images; at most {IMAGE_BYTES:,}"] if size > IMAGE_BYTES else []


def local(site: Path, path: Path, link: str) -> Path:
    "The file that a link inside the site means."
    place = unquote(urlsplit(urljoin("/" + path.relative_to(site).as_posix(), link)).path).lstrip("/")
    return site / place / "index.html" if not place or place.endswith("/") else site / place


def link_faults(site: Path, path: Path, pages: "dict[Path, Page]", home: str) -> "list[str]":
    "Links inside the site that lead nowhere. `home` is the address of the site, with which nbdev writes its links."
    found = []
    for link in pages[path].links:
        if home and link.startswith(home):
            link = "/" + link[len(home) :].lstrip("/")
        if FOREIGN.match(link) or re.match(r"(?!data)[a-z]+:", link):
            continue
        target, anchor = local(site, path, link), unquote(urlsplit(link).fragment)
        if not target.exists():
            found.append(f"a link to {link}, which is not there")
        elif anchor and target in pages and anchor not in pages[target].anchors:
            found.append(f"a link to {link}: that page has no such anchor")
    return found


def site_url() -> str:
    "The address of the site, as nbdev.yml says."
    text = (Path(__file__).resolve().parent.parent / "nbs/nbdev.yml").read_text(encoding="utf-8")
    match = re.search(r"site-url: *\"?([^\"\s]+)", text)
    return match[1] if match else ""


def finish(site: Path) -> "tuple[list[str], list[str]]":
    "Take out the needless scripts; say what the pages load that they must not, and what else is wrong with them."
    pages, loads, others = {}, [], []
    for path in sorted(site.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        if (lean := NEEDLESS.sub("", text)) != text:
            path.write_text(lean, encoding="utf-8")
        pages[path] = Page(lean)
    home = site_url()
    for path, page in pages.items():
        name = path.relative_to(site)
        loads += [f"{name}: {fault}" for fault in dict.fromkeys(loading_faults(site, path, page))]
        more = size_faults(site, path, page) + link_faults(site, path, pages, home)
        others += [f"{name}: {fault}" for fault in dict.fromkeys(more)]
    for path in sorted(site.rglob("*.css")):
        foreign = re.findall(r"(?:@import\s+|url\()[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text(encoding="utf-8"))
        loads += [f"{path.relative_to(site)}: loads {link} from another host" for link in foreign]
    return loads if pages else [f"{site} has no page"], others


def main() -> None:
    "Print every fault; fail if a page loads what it must not, with `--strict` for the others too."
    folders = [a for a in sys.argv[1:] if not a.startswith("-")]
    loads, others = finish(Path(folders[0] if folders else "_docs").resolve())
    print(*loads, *others, f"{len(loads)} faults of loading, {len(others)} others", sep="\n")
    sys.exit(bool(loads or ("--strict" in sys.argv[1:] and others)))


if __name__ == "__main__":
    main()
