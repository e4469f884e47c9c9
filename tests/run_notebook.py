"""Runs a notebook in the folder of now, with a Python of its own and other parameters.

    python tests/run_notebook.py NOTEBOOK PYTHON NAME=VALUE...

The parameters are set in place of the cell that is tagged "parameters". A cell that raises ends the
run with its error, and so does a command after "!" or "%" that fails.
"""

import pathlib
import sys

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


def run(notebook: str, python: str, parameters: dict) -> None:
    content = nbformat.read(notebook, nbformat.NO_CONVERT)
    nbformat.validate(content)
    for cell in content.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", ()):
            cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    manager = AsyncKernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = python
    client = NotebookClient(content, km=manager, timeout=900, on_cell_executed=show)
    client.execute()


def show(cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
    print(f"[{cell_index}] {cell.source}", flush=True)
    for output in cell.outputs:
        text = output.get("text") or "".join(output.get("data", {}).get("text/plain", ""))
        print("   ", "\n    ".join(text.splitlines()), flush=True)


if __name__ == "__main__":
    path, python, *words = sys.argv[1:]
    run(path, str(pathlib.Path(python).absolute()), dict(word.split("=", 1) for word in words))
