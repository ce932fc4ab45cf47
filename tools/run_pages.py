"""Run every page alone, top to bottom, as a reader would: `python tools/run_pages.py [PAGE ...]`.

Each notebook is copied into an empty folder, without the rest of the checkout, and executed by `jupyter
nbconvert` with the facegen_nb that is installed; how long it took is printed. Cells marked `#| slow`, `#|
real`, `#| gpu` or `#| net` are left out, as by `nbdev_test`. Nothing can be fetched: the proxies lead nowhere.
Needs the extra `dev`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
NOWHERE = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "HTTP", "HTTPS")}


def without_marked(page: Path) -> dict:
    "The notebook without cells that tests leave out, and without outputs."
    notebook = json.loads(page.read_text(encoding="utf-8"))
    marked = re.compile(r"^#\|\s*(slow|real|gpu|net|eval: *false)\b", re.MULTILINE)
    notebook["cells"] = [
        c for c in notebook["cells"] if c["cell_type"] != "code" or not marked.search("".join(c["source"]))
    ]
    for cell in notebook["cells"]:
        cell.update({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})
    return notebook


def run(page: Path) -> bool:
    "Execute one page in an empty folder; say how long it took, and the end of what went wrong."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / page.name
        copy.write_text(json.dumps(without_marked(page)), encoding="utf-8")
        env = {
            k: v
            for k, v in os.environ.items()
            if k not in ("PYTHONPATH", "FACEGEN_DATA", "FACEGEN_WEIGHTS", "TORCH_HOME", "WANDB_API_KEY")
        }
        start = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "--ExecutePreprocessor.timeout=-1",
            "--output",
            "done.ipynb",
            copy.name,
        ]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**env, **NOWHERE, "FACEGEN_PROGRESS": "0"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        ok = done.returncode == 0
        print(f"{'ok  ' if ok else 'FAIL'} {time.monotonic() - start:5.0f} s  {page.relative_to(TOP)}", flush=True)
        if not ok:
            print("\n".join("      | " + line for line in done.stderr.splitlines()[-25:]), flush=True)
        return ok


def main() -> None:
    "Run the pages that were named, or all of them."
    pages = [Path(p).resolve() for p in sys.argv[1:]] or sorted(
        p for p in (TOP / "nbs").rglob("*.ipynb") if not any(o.startswith((".", "_")) for o in p.relative_to(TOP).parts)
    )
    start = time.monotonic()
    failed = [page for page in pages if not run(page)]
    print(f"{len(pages) - len(failed)} passed, {len(failed)} failed, {(time.monotonic() - start) / 60:.1f} minutes")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
