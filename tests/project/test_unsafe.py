"""Nothing in the package runs what it reads: no pickle, no eval, no shell, no unsafe loader."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..figures import Figure

SOURCE = Path(__file__).resolve().parents[2] / "src"

MODULES = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"),
    *("jsonpickle", "yaml", "ruamel", "pty", "code", "codeop"),
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    *("os.system", "os.popen", "os.execv", "os.execve", "os.spawnv", "os.spawnl"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"),
    *("anyio.run_process", "tempfile.mktemp", "ssl._create_unverified_context"),
}


def unsafe(text: str) -> Iterator[str]:
    """Yield what a module does that runs or believes what it is given."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found = {each.name.partition(".")[0] for each in names} & MODULES
                yield from (f"{node.lineno}: imports {each}" for each in sorted(found))
            case ast.ImportFrom(module=str(module), level=0):
                if module.partition(".")[0] in MODULES:
                    yield f"{node.lineno}: imports {module}"
                names = {f"{module}.{each.name}" for each in node.names} & CALLS
                yield from (f"{node.lineno}: imports {each}" for each in sorted(names))
            case ast.Call(func=func, keywords=keywords):
                name = ast.unparse(func)
                if name.removeprefix("builtins.") in BUILTINS or name in CALLS:
                    yield f"{node.lineno}: calls {name}"
                for each in keywords:
                    on = not (isinstance(each.value, ast.Constant) and not each.value.value)
                    if each.arg in ("shell", "allow_pickle") and on:
                        yield f"{node.lineno}: {each.arg}"
                    if each.arg == "verify" and not on:
                        yield f"{node.lineno}: TLS without verification"


def test_the_package_runs_nothing_that_it_reads(figure: Figure) -> None:
    modules = sorted(SOURCE.rglob("*.py"))
    found = [
        f"{path.relative_to(SOURCE)}:{each}"
        for path in modules
        for each in unsafe(path.read_text(encoding="utf-8"))
    ]
    assert len(modules) > 100
    assert found == []
    figure("pickle, eval, shells, unsafe loaders", f"{len(modules)} modules, {len(found)} uses")


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import os, marshal",
        "from pickle import loads",
        "from yaml import load",
        "import ruamel.yaml",
        "from os import system",
        "eval(x)",
        "builtins.exec(x)",
        "__import__(x)",
        "os.system(x)",
        "subprocess.run(x, shell=True)",
        "subprocess.run(x, shell=y)",
        "numpy.load(x, allow_pickle=True)",
        "httpx.get(x, verify=False)",
        "ssl._create_unverified_context()",
    ],
)
def test_each_of_them_is_seen(line: str) -> None:
    assert list(unsafe(line)) != []


@pytest.mark.parametrize(
    "line",
    ["re.compile(x)", "json.loads(x)", "subprocess.run([x], shell=False)", "f(verify=context)"],
)
def test_what_is_harmless_is_not(line: str) -> None:
    assert list(unsafe(line)) == []
