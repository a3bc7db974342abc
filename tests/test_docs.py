"""The documents say what is so: tables from the code, commands, links, figures, and code blocks that run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import playground as pg
from playground import settings
from playground.sampling import orders, registry, samplers
from playground.studies import first_view
from tests.docs import README, renewed, samplers_table
from tests.trees import PACKAGE, ROOT

DOCUMENTS = [README, PACKAGE / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
TEXT = README.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_tables_are_those_of_the_code():
    assert renewed(TEXT) == TEXT, "run: python -m tests.docs"


def test_the_two_commands_are_there():
    assert "pip install -r requirements.txt && python app.py\n" in blocks("bash")
    assert "pip install -r requirements.txt -r tests/requirements.txt && pytest\n" in blocks("bash")


def test_every_option_in_a_command_exists():
    flags = {flag for flag, *_ in settings.table()}
    for line in "".join(blocks("bash")).splitlines():
        if "app.py" in line:
            assert set(re.findall(r"--[a-z-]+", line)) <= flags


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_named_files_are_there(document):
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (document.parent / link).exists()]
    named = re.findall(r"`((?:tests|playground|assets|\.ci)/[\w./-]+)`", text)
    missing += [name for name in named if not (ROOT / name).exists()]
    if document == PACKAGE / "README.md":
        inside = re.findall(r"`((?:sampling|models|engine|studies|charts|ui|serve|control)/[\w.-]*)`", text)
        missing += [name for name in inside if not (PACKAGE / name).exists()]
        missing += [name for name in re.findall(r"`(\w+\.py)`", text) if not list(PACKAGE.rglob(name))]
    assert not missing


def test_every_layer_is_on_the_map():
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"`{folder.name}/`" in text


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 40


def test_the_figures_of_the_first_steps():
    """README, *What to try first*: the numbers a newcomer is told to look for."""
    view = first_view.load()
    assert view is not None
    stages = pg.Chain.from_url("temperature:2,top_p:0.95,min_p:0.1").trace(view.prompt).stages
    base = pg.Chain.from_url("temperature:1").trace(view.prompt).stages[0].effective_choices
    said = [round(base), round(stages[0].effective_choices), stages[1].support, stages[2].support, view.size]
    steps = TEXT[TEXT.index("## What to try first"):]
    steps = steps[:steps.index("3. Type")]
    for number in said:
        assert f"{number:,}" in steps, said


def test_the_python_example_runs_on_the_toy(capsys):
    (code,) = [block for block in blocks("python") if "engine.complete" in block]
    scope = _run(code.replace('load_model("default")', 'load_model("default", backend="toy")'))
    assert isinstance(scope["text"], str) and scope["step"].token_id >= 0
    assert "min_p: " in capsys.readouterr().out


def test_the_example_of_control_runs_on_the_toy(capsys):
    (code,) = [block for block in blocks("python") if "pg.Study" in block]
    code = code.replace('load_model("default")', 'load_model("default", backend="toy")')
    scope = _run(code.replace("The movie was absolutely", "The dragon").replace('"amazing"', '"moon"'))
    assert scope["fit"].moments.tolist() == pytest.approx([0.5]) and len(scope["study"].pool) == 768
    assert "5 of " in capsys.readouterr().out
    assert len([line for line in code.splitlines() if line.startswith("    ")]) <= 10, "ten lines"


@pytest.mark.model
def test_the_python_example_runs_on_the_default_model(default_model, monkeypatch):
    (code,) = [block for block in blocks("python") if "engine.complete" in block]
    code = code.replace('pg.load_model("default")', "the_model")
    scope = _run(code, the_model=default_model)
    assert scope["model"].tokenizer.decode([scope["best"]]) == " Paris"
    assert len(scope["text"]) > 20


def test_the_example_of_a_sampler_is_a_sampler(tmp_path, monkeypatch):
    """The file in the README, written beside the others: registry, JSON, link, order, trace, examples, batch."""
    (code,) = [block for block in blocks("python") if "class Margin(Sampler)" in block]
    (tmp_path / "margin.py").write_text(code, encoding="utf-8")
    ruff = subprocess.run([sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore",
                           "RUF009,RUF012,I001", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr
    monkeypatch.setattr(samplers, "__path__", [*samplers.__path__, str(tmp_path)])
    name = f"{samplers.__name__}.margin"
    try:
        for found in registry.discover().values():
            monkeypatch.setitem(registry.SAMPLERS, found.name, found)
        margin = pg.SAMPLERS["margin"]
        assert all("margin" in orders.stage_names(order) for order in orders.ORDERS)
        chain = pg.Chain.from_url("temperature:2,margin:1")
        assert pg.Chain.from_json(chain.to_json()) == chain
        for example in margin.examples:
            trace = pg.Chain((margin(**example.params),)).trace(torch.tensor(example.logits))
            assert tuple(trace.probs.nonzero()[:, 0].tolist()) == example.survivors
            assert trace.stages[0].cut.axis == "probability"
        row = torch.tensor([[3.0, 2.0, 0.0], [1.0, 1.0, 1.0]])
        assert torch.equal(chain.apply(row)[1:], chain.apply(row[1:]))
        plan = pg.sampling.stack([chain, pg.Chain.from_url("margin:0")])
        assert plan.apply(row).isfinite().sum(-1).tolist() == [2, 3]
    finally:
        sys.modules.pop(name, None)
        vars(samplers).pop("margin", None)


def test_the_example_follows_from_the_registry_in_the_table():
    table = samplers_table()
    assert table.count("\n") == len(pg.SAMPLERS) + 1
    for name, kind in pg.SAMPLERS.items():
        (line,) = [line for line in table.splitlines() if f"`{name}` |" in line]
        said = {fact.replace("\\|", "|") for fact in (kind.title, kind.summary, kind.source)}
        assert all(fact.replace("|", "\\|") in line for fact in (*said, kind.formula, *orders.engines_with(name)))
        assert all(f"`{parameter}`" in line for parameter in kind.params())


def test_every_picture_is_made_by_the_script():
    script = (ROOT / "tests" / "screenshots.py").read_text(encoding="utf-8")
    for picture in re.findall(r"assets/screenshots/([\w-]+\.png)", TEXT):
        assert f'"{picture}"' in script


def _run(code: str, **names: object) -> dict:
    scope: dict = {"__name__": "example", **names}
    exec(compile(code, str(Path("README.md")), "exec"), scope)
    return scope
