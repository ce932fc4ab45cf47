"""Check that imports run downwards: `python tools/check_imports.py`.

The order of the modules is that of the sidebar "Library" in _quarto.yml, where a page that stands in another sidebar
keeps its place as a comment. A module may import those above it, wherever the import stands: at the top, in a function,
or as a text that `import_module` or `LazyImport` gets. Only the standard library is used.
"""

import ast
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
LOADERS = {"import_module", "find_spec", "LazyImport"}
#: What is found by its name: a recipe by that of its module, a method by that in a recipe, a model's class by its
#: configuration.
BY_NAME = {
    ("training/config", "recipes"),
    ("training/config", "training/methods"),
    ("models/hub", "models"),
    ("models/hub", "recipes"),
}


def order() -> "list[str]":
    "The modules, such as `data/store`, as the sidebar of the library lists their pages, comments included."
    text = (TOP / "_quarto.yml").read_text(encoding="utf-8")
    library = text.partition("- id: library\n")[2].partition("- id: ")[0]
    pages = re.findall(r"^ *(?:# )?- ([\w/]+)\.ipynb", library, re.MULTILINE)
    return [page for page in pages if (TOP / f"facegen_nb/{page}.py").is_file()]


def texts(node: ast.AST) -> "list[str]":
    "The constant beginning of every text in a piece of code."
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [text for text in found if re.fullmatch(r"facegen_nb\.[\w.]+", text)]


def imported(path: Path) -> "list[tuple[int, str]]":
    "Line and name, such as `data.store` or `models`, of everything of this package that a module imports."
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(path.relative_to(TOP).with_suffix("").parts[: -node.level]) if node.level else ""
            name = ".".join(filter(None, (base, node.module)))
            if name == "facegen_nb":
                found += [(node.lineno, alias.name) for alias in node.names if alias.name != "__version__"]
            elif name.startswith("facegen_nb."):
                found.append((node.lineno, name.removeprefix("facegen_nb.")))
        elif isinstance(node, ast.Import):
            found += [(node.lineno, a.name.removeprefix("facegen_nb.")) for a in node.names if "facegen_nb." in a.name]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in LOADERS:
            found += [(node.lineno, text.removeprefix("facegen_nb.").rstrip(".")) for text in texts(node)]
    return found


def faults(modules: "list[str]") -> "list[str]":
    "Imports of a module from one that stands below it."
    place = {name: i for i, name in enumerate(modules)}
    found = []
    for name in modules:
        for line, target in imported(TOP / f"facegen_nb/{name}.py"):
            path = target.replace(".", "/")
            while path and path not in place and not (TOP / "facegen_nb" / path).is_dir():
                path = path.rpartition("/")[0]
            inside = [i for m, i in place.items() if m == path or m.startswith(f"{path}/")]
            if path and inside and max(inside) > place[name] and (name, path) not in BY_NAME:
                found.append(f"facegen_nb/{name}.py:{line} imports {target}, which stands below it")
    return found


def main() -> None:
    "Print every fault; fail if there is one."
    modules = order()
    there = {p.relative_to(TOP / "facegen_nb").with_suffix("").as_posix() for p in (TOP / "facegen_nb").rglob("*.py")}
    missing = sorted(m for m in there - set(modules) if not m.rpartition("/")[2].startswith("_"))
    found = [f"_quarto.yml lacks the page of facegen_nb/{m}.py" for m in missing] + faults(modules)
    print("\n".join(found) or f"The imports of {len(modules)} modules run downwards.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
