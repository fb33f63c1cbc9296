"""What the documentation names exists, and every command and variable is documented."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from pydantic_settings import BaseSettings

from ops.cli import cli

ROOT = Path(__file__).parent.parent
PACKAGES = [
    "drift",
    "experiments",
    "flows",
    "market",
    "ops",
    "registry",
    "sandbox",
    "serving",
    "sql",
    "streams",
    "telemetry",
    "trader",
]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
# Read without us: by Prefect itself, and by the pull step of prefect.yaml.
READ_BY_OTHERS = {"PREFECT_API_URL", "FRIDAY_CHECKOUT"}
READ = re.compile(r'environ(?:\.get\(|\[)"([A-Z_]+)"(?!\] =)')
FILE = re.compile(rf"\b(?:{'|'.join([*PACKAGES, 'tests', 'docs'])})/[\w/.-]*\w\.\w+")
LINK = re.compile(r"\]\(([^)#:]+)\)")
ONE_PAGE = 60


def commands(command, path=()):
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), (*path, name))


def examples():
    blocks = re.findall(r"^```\w*\n(.*?)^```", RUNBOOK, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("friday ")]


def find(words):
    """Return the command that an example runs, and what is left for it."""
    command, context = cli, click.Context(cli)
    while isinstance(command, click.Group):
        command, words = command.get_command(context, words[0]), words[1:]
        assert command is not None
        context = click.Context(command, parent=context)
    return command, words


def sources():
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def settings():
    for path in sources():
        if "BaseSettings" in path.read_text():
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return [kind for kind in kinds(BaseSettings) if kind.__module__.split(".")[0] in PACKAGES]


def kinds(of):
    return [one for kind in of.__subclasses__() for one in (kind, *kinds(kind))]


def variables():
    read = {name for path in sources() for name in READ.findall(path.read_text())}
    return read | {
        field.validation_alias or f"{kind.model_config['env_prefix']}{name}".upper()
        for kind in settings()
        for name, field in kind.model_fields.items()
    }


VARIABLES = sorted(variables() | READ_BY_OTHERS)


@pytest.mark.parametrize("command", list(commands(cli)))
def test_every_command_has_an_example_in_the_runbook(command):
    shown = [" ".join(words) for words in examples()]

    assert any(f"{line} ".startswith(f"{command} ") for line in shown)


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_every_example_is_understood_by_its_command(words):
    command, rest = find(words)
    known = {name for parameter in command.params for name in parameter.opts}
    given = {word.split("=")[0] for word in rest if word.startswith("--")}

    assert command.context_settings.get("ignore_unknown_options") or given <= known
    missing = [
        parameter.name
        for parameter in command.params
        if parameter.required
        and isinstance(parameter, click.Option)
        and not given.intersection(parameter.opts)
    ]
    assert not missing


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_in_the_runbook_and_in_the_example(variable):
    assert f"`{variable}`" in RUNBOOK
    assert re.search(rf"^#? ?{variable}=", EXAMPLE, re.MULTILINE)


def test_the_example_has_no_variable_that_nothing_reads():
    named = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE))

    assert sorted(named) == VARIABLES


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_and_link_of_a_page_exists(page):
    text = page.read_text()
    links = [page.parent / target for target in LINK.findall(text)]
    files = [ROOT / name for name in FILE.findall(text)]

    assert not [str(path) for path in [*links, *files] if not path.exists()]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_on_the_map(package):
    assert re.search(rf"^{package}/ ", README, re.MULTILINE)


def test_decisions_are_numbered_in_turn_and_fit_a_page():
    for number, path in enumerate(DECISIONS, start=1):
        text = path.read_text()

        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert len(text.splitlines()) <= ONE_PAGE


def test_every_library_has_its_line():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.match(r"[\w-]+", one).group() for one in wanted}
    page = (ROOT / "docs" / "decisions" / "0002-libraries-beside-the-owners-list.md").read_text()

    assert not [name for name in names if not re.search(rf"(?<!-)\b{name}\b(?!-)", page)]
