"""The packages import each other only downhill, and what decides does not touch the world."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW_TRADER = {"experiments", "market", "registry", "serving", "sql", "streams", "telemetry"}
MAY_IMPORT = {
    "ops": {"flows", "sandbox", "trader", "drift", *BELOW_TRADER},
    "flows": {"trader", "drift", *BELOW_TRADER},
    "trader": BELOW_TRADER,
    "drift": set(),
    "experiments": set(),
    "market": {"sql"},
    "serving": {"experiments", "market", "registry", "sql"},
    "streams": {"market"},
    "telemetry": {"market", "registry", "serving", "sql"},
    "registry": set(),
    "sql": set(),
    "sandbox": set(),
}
PURE = {
    "drift": "performance distributions findings verdict window",
    "experiments": "assignment calibration sequential analysis planning",
    "market": (
        "alpaca_messages arithmetic bars catalogue columns dump_lines features houses instruments"
        " kernels kraken_history options pairs providers quality remedies tape windows zones"
    ),
    "ops": "backtesting/backtest backtesting/paper backtesting/paper_orders",
    "registry": (
        "baseline contract evaluation evidence fitting gate labels leaks material numbering"
        " overfitting overriding rivalry scorer snapshot splits trading trees uniqueness windows"
    ),
    "sandbox": (
        "accounts amendment book candles checks choices chronicle entry errors exchange faults"
        " fees forms funding gate heardbook hourly index instruments journal kinds limits"
        " liquidity market matching orders passage path permissions places plans randomness"
        " replacement rest_orders settlement swings synthetic tape terms tidings told triggers"
        " volumes websocket_orders wire bookfeed ownprints rapid"
    ),
    "serving": "conduct events roster signals",
    "sql": "chain",
    "streams": "book clock events executions feed followed tape wire",
    "trader": (
        "answers desk execution ledger limits orders position reconciliation risk sizing strategy"
    ),
}
WORLD = {
    "asyncio",
    "ccxt",
    "httpx",
    "mlflow",
    "optuna",
    "os",
    "prefect",
    "psycopg2",
    "requests",
    "signal",
    "socket",
    "sqlalchemy",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "websocket",
}
CLOCK = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|datetime\.today)\b")
FOLDERS = {*MAY_IMPORT, "docs", "tests"}
MOST_LINES = 4_300  # of the trader's code, so that what holds the money can be read
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
HEAVY = ["evidently", "matplotlib", "mlflow", "optuna", "pandas", "prefect", "sklearn"]


def pure_modules():
    return [f"{package}/{name}.py" for package, names in PURE.items() for name in names.split()]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(path):
    return {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}


def at_run_time(path):
    """Return the module's tree without what only a type checker reads."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


def code_lines(path):
    """Count the lines that are neither blank nor comment nor docstring."""
    text = path.read_text()
    documented = [node for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]
    first = [node.body[0] for node in documented if ast.get_docstring(node) is not None]
    told = {number for one in first for number in range(one.lineno, one.end_lineno + 1)}
    lines = enumerate(map(str.strip, text.splitlines()), 1)
    return sum(bool(line) and line[0] != "#" and n not in told for n, line in lines)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package):
    found = set().union(*map(packages, (ROOT / package).rglob("*.py")))

    assert found & MAY_IMPORT.keys() <= MAY_IMPORT[package] | {package}


@pytest.mark.parametrize("path", pure_modules())
def test_a_pure_module_does_not_touch_the_world(path):
    found = {name.split(".")[0] for name in imported(at_run_time(ROOT / path))}

    assert not found & WORLD
    assert not CLOCK.findall((ROOT / path).read_text())


@pytest.mark.parametrize("path", pure_modules())
def test_a_pure_module_imports_only_pure_modules_of_ours(path):
    ours = {
        f"{name.replace('.', '/')}.py"
        for name in imported(at_run_time(ROOT / path))
        if (ROOT / f"{name.replace('.', '/')}.py").exists()
    }

    assert {name for name in ours if not name.endswith("/errors.py")} <= set(pure_modules())


def test_there_is_no_other_top_level_folder():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = {path.split("/")[0] for path in listed if "/" in path}

    assert {name for name in folders if not name.startswith(".")} <= FOLDERS


def test_the_live_trader_runs_without_the_heavy_libraries():
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r})); "
        "import trader.live, trader.__main__"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_trader_is_small_enough_to_be_read():
    lines = sum(map(code_lines, (ROOT / "trader").rglob("*.py")))

    assert lines <= MOST_LINES, "something belongs elsewhere; docs/decisions/0013 says what does"
