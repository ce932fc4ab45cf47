"""Check the form of every page (see CONTRIBUTING.md).

`python tools/check_pages.py`; only the standard library is used. `--processed` checks the pages in _proc/, which
nbdev makes for Quarto, instead: they must show the code that they explain.
"""

import ast
import json
import re
import sys
from collections import Counter
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
NOTEBOOK_BYTES, FIGURE_BYTES, PAGE_IMAGE_BYTES = 1_000_000, 300_000, 2_000_000
OPEN_ENTRIES = 18
#: Pages that explain a network or a loss: `#| exports` exports a cell and shows it too.
SHOW_FORWARD = ["models/gan.ipynb", "models/flow.ipynb", "training/losses.ipynb", "recipes/arcface_cgan.ipynb"]
OPEN_IN = {
    "Colab": "https://colab.research.google.com/github/facegen-nb/facegen_nb/blob/main/",
    "Kaggle": "https://kaggle.com/kernels/welcome?src=https://github.com/facegen-nb/facegen_nb/blob/main/",
}
INSTALL = (TOP / "tools/install_cell.py").read_text(encoding="utf-8").rstrip("\n")
MACHINE_PATH = r"(?<![\w.:/-])(?:/(?:home|root|work|tmp|Users)/|[A-Z]:\\)[^\s\"'`]*"


def cells_of(path: Path) -> "list[dict]":
    "The cells of a notebook, the source of each as one text."
    return [
        {**cell, "source": "".join(cell["source"])} for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]


def markdown_of(cells: "list[dict]") -> str:
    "The markdown of a page, without its fenced code."
    text = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def prose_of(cells: "list[dict]") -> str:
    "The markdown of a page, without its code, fenced or in line."
    return re.sub(r"`[^`\n]*`", "code", markdown_of(cells))


def options(cell: dict) -> "dict[str, str]":
    "The `#| key: value` lines of a code cell."
    found = re.findall(r"^#\|[ \t]*([\w-]+):[ \t]*(.*)$", cell["source"], re.MULTILINE)
    return dict(found) if cell["cell_type"] == "code" else {}


def texts(cell: dict) -> "list[str]":
    "What a reader sees of a cell besides its code and its images."
    shown = [cell["source"]] if cell["cell_type"] == "markdown" else []
    for output in cell.get("outputs", []):
        data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
        shown += ["".join(text) for text in (output.get("text", ""), *data.values())]
    return shown


def mixes_imports(source: str) -> bool:
    """Does a cell that is not exported import something and do something else too?
    The docs build runs exported cells and cells with an import, and no other: what else stands there would fail."""
    if re.search(r"^#\|\s*(exporti?|exports|eval: *false)\b", source, re.MULTILINE):
        return False
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic
        return False
    imports = (ast.Import, ast.ImportFrom)
    return any(isinstance(n, imports) for n in ast.walk(tree)) and not all(isinstance(n, imports) for n in tree.body)


def opens_as_text(call: ast.Call) -> bool:
    "Does a call open, read or write a file as text, or read a program's output as text?"
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in ("read_text", "write_text"):
        return True
    if name == "open" and isinstance(call.func, ast.Name):
        mode = named.get("mode", call.args[1] if len(call.args) > 1 else None)
    elif name == "open":  # Path.open, but not Image.open or os.open
        mode = named.get("mode", call.args[0] if call.args else None)
        if not isinstance(mode, ast.Constant) or not re.fullmatch("[rwax][bt+]*", str(mode.value)):
            return False
    else:
        return isinstance(text := named.get("text"), ast.Constant) and text.value is True
    return mode is None or "b" not in ast.unparse(mode)


def encoding_faults(source: str) -> "list[str]":
    """Which calls open a text file, or read a program's output, and do not name the encoding?
    Without it Python takes the encoding of the machine: cp1252 on Windows, ASCII in a bare container."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:  # a magic
        return []
    found = []
    for call in filter(opens_as_text, calls):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        position = {"read_text": 0, "write_text": 1}.get(name, 3)  # of the encoding among the arguments
        if len(call.args) <= position and not any(keyword.arg in ("encoding", None) for keyword in call.keywords):
            found.append(f"no encoding='utf-8' in `{ast.unparse(call)[:80]}`")
    return found


def image_size(kind: str, content: "str | list[str]") -> float:
    "Bytes of an image in an output of a cell; 0 for anything else."
    if not kind.startswith("image/"):
        return 0
    return len("".join(content)) * (1 if kind.endswith("xml") else 0.75)


def form_faults(path: Path, cells: "list[dict]") -> "list[str]":
    "What is wrong with the sizes, the head, the imports and the outputs of one page."
    found, exported = [], None
    if path.stat().st_size > NOTEBOOK_BYTES:
        found.append(f"{path.stat().st_size:,} bytes; at most {NOTEBOOK_BYTES:,}")
    for number, cell in enumerate(cells, 1):
        source = cell["source"]
        if match := re.search(r"^#\|\s*default_exp\s+(\S+)", source, re.MULTILINE):
            exported = match[1]
        if number == 1 and not re.match(r"# .+\n+> .+", source):
            found.append("cell 1: no `# Title` followed by a `> one-line subtitle`")
        if cell["cell_type"] == "code" and mixes_imports(source):
            found.append(f"cell {number}: an import beside other code; give imports a cell of their own")
        if re.search(r"^#\|\s*export", source, re.MULTILINE):
            found += [f"cell {number}: {fault}" for fault in encoding_faults(source)]
            if path.name != "core.ipynb" and re.search(r"\bPath\.home\(|\.expanduser\(", source):
                found.append(
                    f"cell {number}: user_path and home_dir of core know what to say where there is no home folder"
                )
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append(f"cell {number}: the output is an error, {output['ename']}")
            for kind, content in output.get("data", {}).items():
                if "widget" in kind:
                    found.append(f"cell {number}: a widget in the output")
                size = image_size(kind, content)
                if size > FIGURE_BYTES:
                    found.append(f"cell {number}: a figure of {size:,.0f} bytes; at most {FIGURE_BYTES:,}")
        found += [
            f"cell {number}: a path of one machine, {p}" for text in texts(cell) for p in re.findall(MACHINE_PATH, text)
        ]
    module = path.relative_to(TOP / "nbs").with_suffix("").as_posix()
    if (TOP / f"facegen_nb/{module}.py").is_file() and exported != module.replace("/", "."):
        found.append(f"`#| default_exp {exported}`; {module.replace('/', '.')} was expected, the name of the page")
    return found


def names_of(source: str) -> "tuple[set[str], set[str]]":
    "The names that a cell binds anywhere, and those that it uses."
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a magic
        return set(), set()
    names = [node for node in nodes if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    bound |= {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return bound, used


def mark_faults(cells: "list[dict]") -> "list[str]":
    """Does a cell without a mark use a name that only a marked cell above it binds?
    `.ci/run` runs a page with slow cells once, all cells of it, so no test would find that."""
    always, marked, found = set(), set(), []
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code":
            continue
        bound, used = names_of(cell["source"])
        if re.search(r"^#\|\s*(slow|real|gpu|net)\b", cell["source"], re.MULTILINE):
            marked |= bound
            continue
        always |= bound
        found += [f"cell {number}: `{n}` is bound in a marked cell only" for n in sorted((used & marked) - always)]
    return found


def open_faults(path: Path, cells: "list[dict]") -> "list[str]":
    "Do the links below the title open this very notebook, and does the cell that installs the library there follow?"
    links = re.findall(r"\]\(([^)\s]+)\)", cells[1]["source"] if len(cells) > 1 else "")
    wanted = {name: place + path.relative_to(TOP).as_posix() for name, place in OPEN_IN.items()}
    found = [f"cell 2: no link 'Open in {name}' to {link}" for name, link in wanted.items() if link not in links]
    if len(cells) < 3 or cells[2]["source"] != INSTALL:
        found.append("cell 3: not the text of tools/install_cell.py")
    return found


def labels_of(cells: "list[dict]") -> "list[str]":
    "The labels of a page's figures."
    labels = [options(cell).get("label", "") for cell in cells]
    return [name for name in labels if name.startswith("fig-")] + re.findall(r"\{#(fig-[\w-]+)", markdown_of(cells))


def figure_faults(cells: "list[dict]", counts: Counter) -> "list[str]":
    "Figures without caption, alt text or label, or not referred to; `counts` has the labels of the whole site."
    found = []
    for number, cell in enumerate(cells, 1):
        given = options(cell)
        if any(kind.startswith("image/") for output in cell.get("outputs", []) for kind in output.get("data", {})):
            wanted = {"label": "fig-", "fig-cap": "", "fig-alt": ""}
            found += [
                f"cell {number}: an image without `#| {key}: {start}...`"
                for key, start in wanted.items()
                if not (value := given.get(key, "").strip("\"'")) or not value.startswith(start)
            ]
        found += [
            f"cell {number}: `#| {key}:` needs quotation marks, or YAML reads it otherwise"
            for key, value in given.items()
            if re.search(r"^[^'\"].*(:(\s|$)| #)|^[`@%&*!|>\[{]", value)
        ]
    text, labels = prose_of(cells), labels_of(cells)
    for image in re.findall(r"^!\[.*$", text, re.MULTILINE):
        if not re.fullmatch(r"!\[[^\]]+\]\([^)]+\)\{#fig-[\w-]+ fig-alt=\"[^\"]+\"\}", image):
            found.append(f'not of the form ![caption](path){{#fig-... fig-alt="..."}}: {image}')
    used = set(re.findall(r"@(fig-[\w-]+)", text))
    found += [f"{name} is the label of {counts[name]} figures" for name in sorted(set(labels)) if counts[name] > 1]
    found += [f"no text refers to @{name}" for name in labels if name not in used]
    return found + [f"@{name} is no figure of this page" for name in sorted(used - set(labels))]


def anchors(path: Path) -> "set[str]":
    "What a link to a page may end in: the slugs of its headings, as Quarto makes them, and its figures."
    cells = cells_of(path)
    headings = re.findall(r"^##+ +(.+?)(?: *\{.*\})?$", re.sub(r"\]\([^)]*\)", "", markdown_of(cells)), re.MULTILINE)
    plain = [re.sub(r"^[\W\d_]+|[^\w\s.-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s+", "-", heading) for heading in plain} | set(labels_of(cells))


def link_faults(path: Path, cells: "list[dict]") -> "list[str]":
    "Relative links and images that lead nowhere; images without an alt text or from another host."
    shown = [
        output.get("data", {}).get(kind, "")
        for cell in cells
        for output in cell.get("outputs", [])
        for kind in ("text/markdown", "text/html")
    ]
    text = "\n\n".join([prose_of(cells), *map("".join, shown)])
    images = re.findall(r"!\[[^\]]*\]\([^)]*\)(?:\{[^}]*\})?|<img\b[^>]*>", text)
    found = [f"an image without an alt text: {p}" for p in images if not re.search(r"^!\[\s*[^\]\s]|\balt=\"[^\"]", p)]
    foreign = r"^!\[[^\]]*\]\((?:https?:)?//|\bsrc=\"(?:https?:)?//"
    found += [f"an image from another host: {p}" for p in images if re.search(foreign, p)]
    for link in re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"<(?:a|img)\b[^>]*\b(?:href|src)=\"([^\"]+)", text):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", link, re.IGNORECASE):
            continue
        name, _, fragment = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            found.append(f"a link to {link}, which is not there")
        elif fragment and target.suffix == ".ipynb" and fragment not in anchors(target):
            found.append(f"a link to {link}: that page has no such heading")
    return found


def image_bytes(path: Path, cells: "list[dict]") -> int:
    "How many bytes of images a reader of a page loads: in its outputs, in its HTML, and in files that it names."
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    shown = ["".join(data.get(kind, "")) for data in outputs for kind in ("text/markdown", "text/html")]
    text = "\n\n".join([prose_of(cells), *shown])
    inside = sum(image_size(kind, content) for data in outputs for kind, content in data.items())
    inside += sum(len(url) * 0.75 for url in re.findall(r"data:image/[^\"')\s]+", text))
    names = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text) + re.findall(r"<img\b[^>]*\bsrc=\"([^\"]+)", text)
    files = {path.parent / name for name in names if not re.match(r"[a-z][a-z0-9+.-]*:|//", name, re.IGNORECASE)}
    return round(inside) + sum(file.stat().st_size for file in files if file.is_file())


def page_faults(path: Path, cells: "list[dict]") -> "list[str]":
    "Is a page too heavy for a telephone?"
    if (size := image_bytes(path, cells)) <= PAGE_IMAGE_BYTES:
        return []
    return [
        f"{size:,} bytes of images; at most {PAGE_IMAGE_BYTES:,} a page: show fewer samples, or save sheets of faces"
        " as JPEG and plots with a palette"
    ]


def bibliography(text: str) -> "list[tuple[str, dict[str, str]]]":
    "The entries of a .bib file, each its key and its fields, one field a line."
    entries = re.findall(r"^@\w+\{([^,\s]*),\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return [(key, dict(re.findall(r"^ *(\w+) *= *\{(.+)\},?$", fields, re.MULTILINE))) for key, fields in entries]


def entry_faults(text: str) -> "list[str]":
    "Can every entry of a .bib file be read, has it a key of its own, a title, an author and a year?"
    entries = bibliography(text)
    begun, counts = len(re.findall(r"^\s*@", text, re.MULTILINE)), Counter(key for key, _ in entries)
    found = [f"{begun} entries begin, {len(entries)} can be read"] if begun != len(entries) else []
    found += [f"{key} is the key of {n} entries" for key, n in counts.items() if n > 1]
    return found + [
        f"{key} has no {name}" for key, fields in entries for name in ("title", "author", "year") if name not in fields
    ]


def work_faults(cells: "list[dict]", entries: "list[tuple[str, dict[str, str]]]") -> "list[str]":
    "Has the bibliography every work that the text links to on arxiv.org or doi.org, and every key that it cites?"
    text, keys = prose_of(cells), {key for key, _ in entries}
    works = {fields[name].lower() for _, fields in entries for name in ("eprint", "doi") if name in fields}
    links = re.findall(r"\b(?:arxiv\.org/abs|doi\.org)/([^\s)>\"]+)", text, re.IGNORECASE)
    found = [
        f"references.bib lacks {link}"
        for link in links
        if re.sub(r"(?<=\d)v\d+$|[.,;:]+$", "", link.lower()) not in works
    ]
    cited = set(re.findall(r"(?<![\w./@])@\{?(\w+(?:[:.#$%&+?<>~/-]\w+)*)", text))
    return found + [
        f"references.bib has no {key}" for key in sorted(cited - keys) if not key.startswith(("fig-", "tbl-", "sec-"))
    ]


def sidebars() -> "dict[str, str]":
    "The YAML of each sidebar by its name, without comments."
    text = re.sub(r"^ *#.*\n", "", (TOP / "_quarto.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    part = text.partition("\n  sidebar:\n")[2].partition("\n  page-footer:\n")[0]
    _, *found = re.split(r"^ *- id: *(\w+)\n", part, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2]))


def open_entries(sidebar: str) -> int:
    "How many entries of a sidebar are seen before a section is opened."
    if "collapse-level: 1" not in sidebar:
        return len(re.findall(r"^ *- ", sidebar, re.MULTILINE))
    return len(re.findall(r"^ {8}- ", sidebar, re.MULTILINE))


def sidebar_faults(paths: "list[Path]") -> "list[str]":
    "Do the sidebars name every page, each once, and no other, and can each be seen at a glance?"
    parts = sidebars()
    named = Counter(name for part in parts.values() for name in re.findall(r"[\w./-]+\.(?:ipynb|qmd)\b", part))
    there = {p.relative_to(TOP / "nbs").as_posix() for p in [*paths, *(TOP / "nbs").glob("*.qmd")]}
    found = [f"no page of the name {n}" for n in sorted(set(named) - there)]
    found += [f"no sidebar has {n}" for n in sorted(there - set(named))]
    found += [f"{n} stands in the sidebars {k} times" for n, k in named.items() if k > 1]
    found += [
        f"the sidebar {name} shows {n} entries; at most {OPEN_ENTRIES}"
        for name, part in parts.items()
        if (n := open_entries(part)) > OPEN_ENTRIES
    ]
    return [f"_quarto.yml: {fault}" for fault in found] if parts else ["_quarto.yml: no sidebars were found"]


def function_faults(folder: Path) -> "list[str]":
    "Does plain.lua lead the names that are commands and functions to the pages of the functions?"
    table = (folder / "plain.lua").read_text(encoding="utf-8").partition("local functions = {")[2].partition("}")[0]
    named = re.findall(r'(\w+) = "([\w/]+)"', table)
    sources = {page: TOP / f"facegen_nb/{page}.py" for _, page in named}
    return ["plain.lua: no table of functions was found"] * (not named) + [
        f"plain.lua: {page} has no function {name}"
        for name, page in named
        if not sources[page].is_file() or f"\ndef {name}(" not in sources[page].read_text(encoding="utf-8")
    ]


def shown_code(cells: "list[dict]") -> str:
    "The code that a reader of the site sees: nbdev leaves out cells that are exported by `export` or are hidden."
    left_out = r"^#\|\s*(?:export|exporti|hide|default_exp|include: *false|echo: *false)\b"
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(source for source in code if not re.search(left_out, source, re.MULTILINE))


def code_faults(folder: Path) -> "list[str]":
    "Do the pages that explain networks show their code? `folder` has the notebooks, or what nbdev made of them."
    return [
        f"{folder.name}/{page}: the page does not show `def forward`"
        for page in SHOW_FORWARD
        if "def forward" not in shown_code(cells_of(folder / page))
    ]


def main() -> None:
    "Print every fault; fail if there is one."
    if "--processed" in sys.argv[1:]:
        found = code_faults(TOP / "_proc")
        print("\n".join(found) or f"{len(SHOW_FORWARD)} processed pages show their code.")
        sys.exit(bool(found))
    paths = sorted(
        p for p in (TOP / "nbs").rglob("*.ipynb") if not any(o.startswith((".", "_")) for o in p.relative_to(TOP).parts)
    )
    pages = {p: cells_of(p) for p in paths}
    counts = Counter(label for cells in pages.values() for label in labels_of(cells))
    references = (TOP / "nbs/references.bib").read_text(encoding="utf-8")
    works = bibliography(references)
    found = [
        f"{p.relative_to(TOP)}: {fault}"
        for p, cells in pages.items()
        for fault in form_faults(p, cells)
        + mark_faults(cells)
        + open_faults(p, cells)
        + figure_faults(cells, counts)
        + link_faults(p, cells)
        + page_faults(p, cells)
        + work_faults(cells, works)
    ]
    for p in sorted((TOP / "nbs").glob("*.qmd")):
        text = [{"cell_type": "markdown", "source": p.read_text(encoding="utf-8")}]
        found += [f"{p.relative_to(TOP)}: {fault}" for fault in link_faults(p, text) + work_faults(text, works)]
    found += [f"nbs/references.bib: {fault}" for fault in entry_faults(references)] + sidebar_faults(paths)
    found += code_faults(TOP / "nbs") + function_faults(TOP / "nbs")
    # not install_cell.py: it writes ASCII only, and its text stands at the head of every page
    scripts = [TOP / "setup.py", *sorted(set((TOP / "tools").glob("*.py")) - {TOP / "tools/install_cell.py"})]
    found += [f"{p.relative_to(TOP)}: {f}" for p in scripts for f in encoding_faults(p.read_text(encoding="utf-8"))]
    print("\n".join(found) or f"{len(paths)} pages are in form.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
