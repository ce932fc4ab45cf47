"""Make README.md from nbs/index.ipynb, without Quarto: `python tools/readme.py`; `--check` only compares.

Markdown cells are kept, with links and images made relative to the top folder. Code cells are fenced, unless they
hold `#| hide`, `#| include: false` or `#| echo: false`. Text outputs are fenced; image outputs go to nbs/images/.
Only the standard library is used, so the README can be checked before anything is installed.
"""

import base64
import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
NOTEBOOK, README, IMAGES = TOP / "nbs/index.ipynb", TOP / "README.md", TOP / "nbs/images"
WARNING = "<!-- Made from nbs/index.ipynb by tools/readme.py: edit the notebook, not this file. -->"
HIDDEN = {"hide", "default_exp", "export", "exporti"}
IMAGE_TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}


def joined(text: "str | list[str]") -> str:
    "A notebook stores text as one string or as a list of lines."
    return text if isinstance(text, str) else "".join(text)


def split_options(source: str) -> "tuple[dict[str, str], str]":
    "The `#| key: value` lines at the head of a code cell, and the code below them."
    lines, options = source.splitlines(), {}
    while lines and (match := re.match(r"#\s*\|\s*([\w-]+)\s*:?\s*(.*)", lines[0])):
        options[match[1]] = match[2].strip().strip("\"'")
        lines.pop(0)
    return options, "\n".join(lines).strip("\n")


def from_top(target: str) -> str:
    "A link of the notebook, as seen from the top folder."
    if re.match(r"[a-z][a-z0-9+.-]*:|[#/]", target, re.IGNORECASE):
        return target
    return (
        (NOTEBOOK.parent / target).resolve().relative_to(TOP).as_posix() if target.startswith("..") else f"nbs/{target}"
    )


def markdown(source: str) -> str:
    "One markdown cell, without what only Quarto understands, outside of its fenced code."
    parts = re.split(r"(^```.*?^```[^\S\n]*$)", source, flags=re.MULTILINE | re.DOTALL)
    for i, part in enumerate(parts[::2]):
        part = re.sub(r"^:::.*\n?", "", part, flags=re.MULTILINE)
        part = re.sub(r"!\[([^\]]*)\](\([^)\s]+\))\{[^}]*fig-alt=\"([^\"]*)\"[^}]*\}", r"![\3]\2\n\n*\1*", part)
        part = re.sub(r"(\]\([^)\s]+\))\{\.btn[^}]*\} +(?=\[)", r"\1 · ", part)  # buttons in a row
        part = re.sub(r"(\]\([^)\s]+(?:\s+\"[^\"]*\")?\))\{[^}]*\}", r"\1", part)
        part = re.sub(r"\s+\(@fig-[\w-]+\)", "", part)
        part = re.sub(r"@fig-[\w-]+", "the figure below", part)
        part = re.sub(r"(\]\()([^)\s]+)", lambda m: m[1] + from_top(m[2]), part)
        parts[2 * i] = re.sub(r"(<img[^>]*\ssrc=\")([^\"]+)", lambda m: m[1] + from_top(m[2]), part)
    return "".join(parts)


def image(data: dict, options: dict, name: str, files: "dict[str, bytes]") -> "str | None":
    "An image output: its bytes are put into `files` and the markdown that shows it is returned."
    kind = next((k for k in IMAGE_TYPES if k in data), None)
    if kind is None:
        return None
    content = joined(data[kind])
    path = f"{IMAGES.relative_to(TOP).as_posix()}/{name}.{IMAGE_TYPES[kind]}"
    files[path] = content.encode() if kind.endswith("xml") else base64.b64decode(content)
    caption = options.get("fig-cap", "")
    shown = f"![{options.get('fig-alt', caption)}]({path})"
    return f"{shown}\n\n*{caption}*" if caption else shown


def code(cell: dict, number: int, files: "dict[str, bytes]") -> "list[str]":
    "One code cell: what it shows of its source and of its outputs."
    options, source = split_options(joined(cell["source"]))
    if HIDDEN & options.keys() or options.get("include") == "false":
        return []
    blocks = [] if options.get("echo") == "false" or not source else [f"```python\n{source}\n```"]
    for i, output in enumerate(cell["outputs"] if options.get("output") != "false" else []):
        data = output.get("data", {})
        if output["output_type"] == "error":
            raise SystemExit(f"{NOTEBOOK.name}: cell {number} ends with an error: {output['ename']}.")
        if (shown := image(data, options, f"cell-{number}-output-{i + 1}", files)) is not None:
            blocks.append(shown)
        elif "text/markdown" in data:
            blocks.append(markdown(joined(data["text/markdown"])))
        elif text := joined(output.get("text", "") if output.get("name") != "stderr" else "") or joined(
            data.get("text/plain", "")
        ):
            blocks.append("```\n" + text.strip("\n") + "\n```")
    return blocks


def build() -> "dict[str, bytes]":
    "Every file of the README, by its path from the top folder."
    files: "dict[str, bytes]" = {}
    blocks: "list[str]" = []
    for number, cell in enumerate(json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"], 1):
        if cell.get("attachments"):
            raise SystemExit(f"{NOTEBOOK.name}: cell {number} has an attachment; link to an image file instead.")
        if cell["cell_type"] == "markdown":
            blocks.append(markdown(joined(cell["source"])).strip("\n"))
        elif cell["cell_type"] == "code":
            blocks += code(cell, number, files)
    blocks.insert(1, WARNING)
    files[README.name] = ("\n\n".join(b for b in blocks if b) + "\n").encode()
    return files


def main() -> None:
    "Write the README and its images, or, with `--check`, fail if they are not what the notebook says."
    files = build()
    old = {p.relative_to(TOP).as_posix(): p for p in [README, *IMAGES.glob("*")] if p.is_file()}
    stale = sorted(old.keys() - files.keys())
    changed = sorted(n for n, data in files.items() if n not in old or old[n].read_bytes() != data)
    if "--check" in sys.argv[1:]:
        if stale or changed:
            raise SystemExit(
                f"Not as nbs/index.ipynb says: {', '.join(changed + stale)}. Run `python tools/readme.py`."
            )
        print(f"README.md and {len(files) - 1} images are as nbs/index.ipynb says.")
        return
    for name in stale:
        old[name].unlink()
    for name in changed:
        (TOP / name).parent.mkdir(exist_ok=True)
        (TOP / name).write_bytes(files[name])
    print(f"Written: {', '.join(changed) or 'nothing, all was current'}.")


if __name__ == "__main__":
    main()
