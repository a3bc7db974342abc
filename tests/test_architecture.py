"""The structure, checked over syntax trees: import order, homes, sizes, and the cost of adding a sampler.

An exception is written down here with its reason; one that is no longer needed fails its test.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import pytest

import playground
from tests.trees import PACKAGE, ROOT, Module, modules

ORDER = ("errors", "settings", "sampling", "control", "models", "engine", "studies", "charts", "ui", "serve", "app.py")
"""A layer imports from those before it, and from itself."""

NEVER = {
    ("charts", "sampling"): "charts see views",
    ("charts", "models"): "charts see views",
    ("charts", "engine"): "charts see views, never the engine",
    ("ui", "models"): "the interface never sees a model",
    ("serve", "models"): "the interface never sees a model",
    ("control", "sampling"): "control is numpy alone",
    ("models", "sampling"): "a backend is told tokens and answers logits; it never samples",
}

HOMES = {
    "gradio": {"ui", "serve"},
    "plotly": {"charts"},
    "transformers": {"models"},
    "peft": {"models"},
    "re2": {"studies"},
    "vaderSentiment": {"studies"},
    "threading": {"engine"},
    "concurrent.futures": {"engine"},
    "multiprocessing": {"engine"},
}
"""Who alone may import what."""

FROM_HOME = {
    "playground/models/chat.py": ("threading", "one lock around a tokenizer, which is not safe for two threads"),
    "playground/models/vocabulary.py": ("threading", "the same lock"),
    "playground/models/classifier.py": ("threading", "the same lock; and nobody loads a model twice"),
    "playground/studies/inspect.py": ("concurrent.futures", "the type of the worker it is handed; it makes none"),
}
"""The known exceptions to HOMES."""

PURE = {"sampling": {"torch"}, "control": {"numpy"}, "errors": set(), "settings": set()}
"""The only installed packages that these layers may import."""

IMPURE_PARTS = {"asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "socket", "subprocess", "threading"}
"""Parts of the standard library that pure maths has no use for."""

HEAVY = {"transformers", "gradio", "plotly"}

NAMES_ALLOWED = {
    **{
        f"playground/sampling/orders/{engine}.py": "the order this engine runs its stages in"
        for engine in (
            "exllamav3", "koboldcpp", "llama_cpp", "ollama", "text_generation_webui", "transformers", "vllm"
        )
    },
    "playground/ui/knobs.py": "the strip a first visit finds",
    "playground/ui/examples.py": "the example chips",
    "playground/sampling/recipe.py": "a branch of guidance has a temperature of its own",
    "playground/sampling/presets.py": "the same",
}
"""Who may name particular samplers, besides their own files."""

INTEROP = "playground/sampling/interop/"
"""Bridges to engines: each of its files may say what an engine calls a stage, which is all it is for."""

MAX_LINES, MAX_FUNCTION_LINES, MAX_SCRIPT_LINES = 300, 60, 250



def test_imports_go_one_way():
    wrong = []
    for module in _below_the_root():
        for line, layer in module.inner_layers():
            if ORDER.index(layer) > ORDER.index(module.layer):
                wrong.append(f"{module.path}:{line} imports {layer}")
            if (module.layer, layer) in NEVER:
                wrong.append(f"{module.path}:{line} imports {layer}: {NEVER[module.layer, layer]}")
    assert not wrong, "\n".join(wrong)


def test_every_layer_is_in_the_order():
    found = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    found |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert found == set(ORDER) - {"app.py"}


def test_each_library_stays_in_its_home():
    wrong, used = [], set()
    for module in modules():
        for line, name, part in module.imports():
            for library, homes in HOMES.items():
                if not _is(library, name, part) or module.layer in homes:
                    continue
                if FROM_HOME.get(module.path, ("",))[0] == library:
                    used.add(module.path)
                else:
                    wrong.append(f"{module.path}:{line} imports {library}, which lives in {', '.join(sorted(homes))}")
    assert not wrong, "\n".join(wrong)
    assert used == set(FROM_HOME), f"no longer needed: {sorted(set(FROM_HOME) - used)}"


def test_pure_layers_are_pure():
    wrong = []
    for module in modules():
        if module.layer not in PURE:
            continue
        for line, name, _ in module.imports():
            top = name.split(".")[0]
            if top != "playground" and top not in sys.stdlib_module_names | PURE[module.layer]:
                wrong.append(f"{module.path}:{line} imports {top}")
            if module.layer in {"sampling", "control"} and top in IMPURE_PARTS:
                wrong.append(f"{module.path}:{line} imports {top}")
    assert not wrong, "\n".join(wrong)


def test_only_settings_touches_the_environment():
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            touched = isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"}
            imported = isinstance(node, ast.ImportFrom) and node.module == "os" and any(
                alias.name in {"environ", "environb", "getenv", "putenv"} for alias in node.names)
            if (touched or imported) and module.path != "playground/settings.py":
                wrong.append(f"{module.path}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_only_app_makes_settings():
    """The interface is handed the one Settings object; nobody below it knows that there are settings."""
    wrong = []
    for module in modules():
        if module.path in {"app.py", "playground/settings.py"}:
            continue
        for line, name, part in module.imports():
            if name == "playground.settings" and (module.layer not in {"ui", "serve"} or part != "Settings"):
                wrong.append(f"{module.path}:{line} imports {part} from settings")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and re.match(r"Settings(\.read)?$", ast.unparse(node.func)):
                wrong.append(f"{module.path}:{node.lineno} makes settings of its own")
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is_and_what_it_knows_nothing_about():
    wrong = []
    for module in modules():
        if not module.text.strip():
            continue  # the empty __init__.py of a folder
        says = ast.get_docstring(module.tree) or ""
        if not says:
            wrong.append(f"{module.path} has no docstring")
        elif module.path != "app.py" and "nows nothing" not in says:
            wrong.append(f"{module.path} does not say what it knows nothing about")
    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_short():
    wrong = []
    for module in modules():
        if (length := module.text.count("\n")) > MAX_LINES:
            wrong.append(f"{module.path} has {length} lines")
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    wrong.append(f"{module.path}:{node.lineno} {node.name} has {length} lines")
    for script in sorted((ROOT / "assets" / "js").glob("*.js")):
        path, length = script.relative_to(ROOT).as_posix(), script.read_text().count("\n")
        if length > MAX_SCRIPT_LINES:
            wrong.append(f"{path} has {length} lines")
    assert not wrong, "\n".join(wrong)


def test_every_signature_has_types():
    """mypy checks the types; this says at once which one is missing."""
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is None:
                wrong.append(f"{module.path}:{node.lineno} {node.name}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_for_later():
    marker = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    wrong = []
    files = [*ROOT.glob("*.*"), ROOT / "Dockerfile", ROOT / ".ci" / "run"]
    for folder in ("playground", "assets/js", "assets/css", "tests"):
        files += sorted((ROOT / folder).rglob("*"))
    for file in files:
        if file.suffix in {".py", ".js", ".css", ".html", ".md", ".txt", ".toml", ""} and file.is_file():
            lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            wrong += [f"{file.relative_to(ROOT)}:{number}" for number, line in lines if marker.search(line)]
    wrong = [place for place in wrong if not place.startswith("tests/test_architecture.py")]
    assert not wrong, "\n".join(wrong)


def test_one_file_is_one_sampler():
    for module in _samplers():
        name = module.path.rpartition("/")[2].removesuffix(".py")
        classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
        own = [node for node in classes if any(ast.unparse(base) == "Sampler" for base in node.bases)]
        assert len(own) == 1, f"{module.path} defines {len(own)} samplers"
        assert f"name = {name!r}" in {ast.unparse(line) for line in own[0].body}, f"{module.path}: name is not {name!r}"
        others = [name for _, name, _ in module.imports() if name.startswith("playground.sampling.samplers")]
        assert not others, f"{module.path} imports another sampler"


def test_adding_a_sampler_touches_no_other_file():
    """Nobody names a particular sampler but its own file and the few lists that are about particular samplers."""
    names = {module.path.rpartition("/")[2].removesuffix(".py") for module in _samplers()}
    assert "min_p" in names
    wrong, used = [], set()
    for module in modules():
        if "/samplers/" in module.path:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and node.value in names:
                used.add(INTEROP if module.path.startswith(INTEROP) else module.path)
                if module.path not in NAMES_ALLOWED and not module.path.startswith(INTEROP):
                    wrong.append(f"{module.path}:{node.lineno} names {node.value}")
    quoted = re.compile("[\"'`](" + "|".join(sorted(names)) + ")[\"'`]")
    for script in sorted((ROOT / "assets" / "js").glob("*.js")):
        for number, line in enumerate(script.read_text().splitlines(), 1):
            wrong += [f"{script.name}:{number} names {found}" for found in quoted.findall(line)]
    assert not wrong, "\n".join(wrong)
    assert used - {INTEROP} == set(NAMES_ALLOWED), f"no longer needed: {sorted(set(NAMES_ALLOWED) - used)}"


def test_the_public_names_are_those_of_the_design():
    assert set(playground.__all__) == {
        "SAMPLERS", "Chain", "guide", "load_model", "Engine", "PlaygroundError", "Study", "control"}
    for name in playground.__all__:
        assert getattr(playground, name) is not None
    assert set(playground.__all__) <= set(dir(playground))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        playground.nothing  # noqa: B018


def test_imports_are_light():
    """One process imports layer after layer and loads the toy; what must not be there yet is looked for after each."""
    steps = {
        "playground": {"torch", "numpy", *HEAVY},
        "playground.control": {"torch", *HEAVY},
        "playground.charts.base": {"torch", *HEAVY},
        "playground.sampling": {"playground.models", "playground.engine", *HEAVY},
        "playground.models": {"gguf", "tokenizers", *HEAVY},
        "playground.engine": {"playground.studies", "playground.ui", *HEAVY},
    }
    code = "import json, sys\nloaded = {}\n"
    used = {"playground.models": "playground.models.load_model(backend='toy')"}
    code += "".join(f"import {name}; {used.get(name, '')}\nloaded[{name!r}] = list(sys.modules)\n" for name in steps)
    done = subprocess.run([sys.executable, "-c", f"{code}print(json.dumps(loaded))"], cwd=ROOT, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for name, loaded in json.loads(done.stdout).items():
        assert not steps[name] & set(loaded), name


def _below_the_root() -> list[Module]:
    """All modules but the lazy playground/__init__.py, whose imports are for the type checker alone."""
    return [module for module in modules() if module.path != "playground/__init__.py"]


def _samplers() -> list[Module]:
    found = [module for module in modules() if "/sampling/samplers/" in module.path]
    return [module for module in found if not module.path.endswith("__init__.py")]


def _is(library: str, module: str, part: str) -> bool:
    """Whether ``from module import part`` (or ``import module``) brings the library."""
    full = f"{module}.{part}" if part else module
    return any(name == library or name.startswith(library + ".") for name in (module, full))
