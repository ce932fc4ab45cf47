"""Check the form of every page (see CONTRIBUTING.md): `python tools/check_pages.py`. Only the standard library is used."""
import ast
import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
NOTEBOOK_BYTES, FIGURE_BYTES, CELL_LINES = 1_000_000, 300_000, 50


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


def faults(path: Path) -> "list[str]":
    "What is wrong with the form of one notebook."
    found, exporting = [], False
    if path.stat().st_size > NOTEBOOK_BYTES:
        found.append(f"{path.stat().st_size:,} bytes; at most {NOTEBOOK_BYTES:,}")
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        source = "".join(cell["source"])
        exporting |= bool(re.search(r"^#\|\s*default_exp", source, re.MULTILINE))
        if number == 1 and not re.match(r"# .+\n+> .+", source):
            found.append("cell 1: no `# Title` followed by a `> one-line subtitle`")
        if cell["cell_type"] == "code" and len(source.splitlines()) > CELL_LINES:
            found.append(f"cell {number}: {len(source.splitlines())} lines; at most {CELL_LINES}")
        if cell["cell_type"] == "code" and mixes_imports(source):
            found.append(f"cell {number}: an import beside other code; give imports a cell of their own")
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append(f"cell {number}: the output is an error, {output['ename']}")
            for kind, content in output.get("data", {}).items():
                if "widget" in kind:
                    found.append(f"cell {number}: a widget in the output")
                size = len("".join(content)) * (1 if kind.endswith("xml") else 0.75) if kind.startswith("image/") else 0
                if size > FIGURE_BYTES:
                    found.append(f"cell {number}: a figure of {size:,.0f} bytes; at most {FIGURE_BYTES:,}")
    if not exporting and path.parent.name == "nbs" and path.name[0].isdigit():
        found.append("no `#| default_exp`")
    return found


def main() -> None:
    "Print every fault; fail if there is one."
    paths = sorted(p for p in (TOP / "nbs").rglob("*.ipynb") if not any(o.startswith((".", "_")) for o in p.relative_to(TOP).parts))
    found = [f"{p.relative_to(TOP)}: {fault}" for p in paths for fault in faults(p)]
    print("\n".join(found) or f"{len(paths)} pages are in form.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
