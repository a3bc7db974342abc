"""What travels with the code: pins, licence, container, and the script that checks a fresh clone."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys

import pytest

from tests.trees import ROOT, modules

PIN = re.compile(r'([a-z0-9_.-]+)==([0-9][\w.]*)(; python_version (<|>=) "3\.11")?')
INDIRECT = {"torch", "accelerate"}
"""Imported under their own names or by transformers for us."""
OTHER_NAMES = {"re2": "google-re2", "vaderSentiment": "vadersentiment"}
"""What is imported under another name than it is installed by."""


def pins(name: str) -> dict[str, list[tuple[str, str]]]:
    """Package -> [(version, marker)]."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            match = PIN.fullmatch(line)
            assert match, f"{name}: {line!r} is not an exact pin"
            found.setdefault(match[1], []).append((match[2], match[4] or ""))
    return found


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_pins_are_exact_and_cover_every_python(name):
    for package, versions in pins(name).items():
        assert sorted(marker for _, marker in versions) in ([""], ["<", ">="]), package


def test_the_pins_are_what_is_installed_here():
    from importlib.metadata import version

    current = "<" if sys.version_info < (3, 11) else ">="
    for name in ("requirements.txt", "tests/requirements.txt"):
        for package, versions in pins(name).items():
            wanted = next(number for number, marker in versions if marker in ("", current))
            assert version(package).partition("+")[0] == wanted, package


def test_every_package_imported_is_pinned_and_every_pin_is_used():
    imported = {name.split(".")[0] for module in modules() for _, name, _ in module.imports()}
    outside = {OTHER_NAMES.get(name, name) for name in imported - set(sys.stdlib_module_names)}
    outside -= {"playground", "__future__"}
    pinned = set(pins("requirements.txt"))
    assert outside <= pinned, outside - pinned
    assert pinned - outside <= INDIRECT | {"plotly"}, "plotly's script is served; the rest must be imported"


def test_what_tests_import_is_pinned():
    names = set()
    for file in (ROOT / "tests").rglob("*.py"):
        names |= set(re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    known = set(pins("requirements.txt")) | set(pins("tests/requirements.txt")) | set(sys.stdlib_module_names)
    known |= {"playground", "tests", "gradio_client"}  # gradio_client comes with gradio, in the version it needs
    known |= {"tokenizers", "safetensors"}  # these come with transformers
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"the"}  # the word, in a docstring
    assert names <= known | local, names - known - local


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License") and text.count("\n") == 201
    assert hashlib.sha256(text.strip().encode()).hexdigest() == LICENCE_SHA256


LICENCE_SHA256 = "283ea6cc2997a1a70da0049e09adf9317bb60ca1b51279b65196b83a69e1996b"
"""Of the standard text, without the empty lines around it."""


def test_the_container_is_what_the_readme_says():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:3\.11-slim$", text, re.MULTILINE)
    assert re.search(r"^ARG DEVICE=cpu$", text, re.MULTILINE) and "PLAYGROUND_DEVICE=${DEVICE}" in text
    assert "--uid 1000" in text and re.search(r"^USER user$", text, re.MULTILINE)
    assert "PLAYGROUND_HOST=0.0.0.0" in text and "EXPOSE 7860" in text
    assert "HEALTHCHECK" in text and "/healthz" in text
    copied = re.findall(r"^COPY --chown=user (.+) \S+$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for name in " ".join(copied).split():
        assert (ROOT / name).exists() and f"!{name}" in ignored


def test_the_health_check_of_the_container_is_python():
    text = (ROOT / "Dockerfile").read_text()
    (code,) = re.findall(r'^  "(import json.*)"\]$', text, re.MULTILINE)
    compile(code, "Dockerfile", "exec")


def test_the_space_is_described():
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    assert facts["sdk"] == "docker" and facts["app_port"] == "7860" and facts["license"] == "apache-2.0"
    assert len(facts["short_description"]) <= 60
    assert {facts["colorFrom"], facts["colorTo"]} <= {"red", "yellow", "green", "blue", "indigo", "purple", "pink",
                                                      "gray"}


def test_the_ci_script_is_runnable_bash():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK) and "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)
    for command in ("ruff check .", "mypy", "pytest", "CI=true"):
        assert command in script.read_text()


def test_no_foreign_place_is_written_down():
    """Committed text names no folder of somebody's machine."""
    wrong = []
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=20)
    if files.returncode:
        pytest.skip("not a git checkout")
    for name in files.stdout.splitlines():
        file = ROOT / name
        if file.suffix in {".py", ".md", ".js", ".css", ".toml", ".txt", ""} and file.is_file():
            text = file.read_text(encoding="utf-8")
            wrong += [name] if re.search(r"/(?:work|root|tmp/v|opt/pypi)/", text) else []
    assert not [name for name in wrong if name != "tests/test_packaging.py"]
