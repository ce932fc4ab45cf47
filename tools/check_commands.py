"""Check that the program takes every `facegen` command of the pages and of its own help.

`python tools/check_commands.py`; nothing is run.
"""

import re
import shlex
import sys
from typing import Any

import typer
from check_pages import TOP, cells_of
from typer.main import get_command

from facegen_nb.cli import app
from facegen_nb.core import FacegenError
from facegen_nb.training.config import find_recipe

START = re.compile(
    r"^(?:\w+=(?:\"[^\"]*\"|'[^']*'|[^\s\"'])*\s+)*(?:facegen|(?:accelerate launch|python3?) .*-m facegen_nb\.cli)\s+"
)


def commands_in(line: str) -> "list[str]":
    "The commands of this program on a line that may hold others."
    return [part.strip() for part in re.split(r"&&|;", line) if START.match(part.strip())]


def fenced(text: str) -> "list[str]":
    "The commands of fenced shell code; a line that ends in a backslash continues in the next one."
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        line for kind, block in blocks if kind.strip() in ("", "sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    return [command for line in lines for command in commands_in(line)]


def pages() -> "dict[str, list[str]]":
    "The commands of every page."
    found = {
        str(p.relative_to(TOP)): fenced(p.read_text(encoding="utf-8"))
        for p in (*TOP.glob("*.md"), *TOP.glob("checkpoints/*/README.md"), *TOP.glob("facegen_nb/own/*/README.md"))
    }
    for path in sorted((TOP / "nbs").rglob("*.ipynb")):
        cells = cells_of(path)
        shown = [c["source"] for c in cells if c["cell_type"] == "markdown"]
        shown += ["".join(o.get("data", {}).get("text/markdown", "")) for c in cells for o in c.get("outputs", [])]
        found[str(path.relative_to(TOP))] = fenced("\n\n".join(shown))
    return found


def examples(group: Any, name: str = "facegen") -> "dict[str, list[str]]":
    "The examples in the help of every command, and those below the list of commands."
    found = {f"{name} --help": [c for text in re.findall(r"`([^`]*)`", group.epilog or "") for c in commands_in(text)]}
    for key, one in group.commands.items():
        if hasattr(one, "commands"):
            found |= examples(one, f"{name} {key}")
        else:
            found[f"{name} {key} --help"] = [
                c for text in re.findall(r": `([^`]*)`", " ".join((one.help or "").split())) for c in commands_in(text)
            ]
    return found


def fault(line: str) -> "str | None":
    "Why the program would not take a command, or None."
    tokens = shlex.split(START.sub("", line), comments=True)
    one = get_command(app)
    try:
        while hasattr(one, "commands"):
            name = tokens.pop(0) if tokens else ""
            if name == "--help":
                return None
            if name not in one.commands:
                return f"there is no command '{name}'"
            one = one.commands[name]
        values = one.make_context(one.name, tokens).params
        recipe = values.get("recipe", "")
        if recipe and not (
            recipe.endswith(".yaml") and not recipe.startswith("nbs/")
        ):  # a reader's own file is not here
            find_recipe(TOP / recipe if recipe.startswith("nbs/") else recipe)
    except typer.Exit:  # --help
        return None
    except FacegenError as error:
        return str(error)
    except Exception as error:  # typer brings its own click, or uses the installed one
        if not hasattr(error, "format_message"):
            raise
        return error.format_message()
    return None


if __name__ == "__main__":
    everything = pages() | examples(get_command(app))
    commands = [(where, line) for where, lines in everything.items() for line in lines]
    faults = [f"{where}: {line}: {why}" for where, line in commands if (why := fault(line))]
    print(*faults, f"{len(commands)} commands, {len(faults)} faults", sep="\n")
    sys.exit(bool(faults) or not commands)
