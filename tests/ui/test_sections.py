"""The sections beside Play: each has a tab and a host exactly when its script is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from playground.ui import sections
from playground.ui.app import build_app
from playground.ui.desk import Desk
from playground.ui.sections import PARTS, SECTIONS, Section, sections_json
from tests.trees import ROOT


def hosts(desk: Desk) -> list[str]:
    """The sections' hosts in the built page, in its order."""
    values = [str(one["props"].get("value")) for one in build_app(desk).get_config_file()["components"]]
    return re.findall(r'id="pg-section-([\w-]+)"', "\n".join(values))


def test_a_section_is_there_when_its_script_is(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SCRIPTS", tmp_path)
    assert [one["name"] for one in sections_json()] == ["play"] and hosts(desk) == []
    (tmp_path / "control.js").touch()
    assert [one["name"] for one in sections_json()] == ["play", "control"] and hosts(desk) == ["control"]


def test_the_table_of_sections() -> None:
    assert SECTIONS[0].keeps == PARTS
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names) and all(re.fullmatch("[a-z-]+", name) for name in names)
    assert all(set(section.keeps) <= set(PARTS) for section in SECTIONS)
    assert not Section("nothing-of-that-name", "Nothing").is_there


def test_every_script_draws_and_every_part_can_be_hidden() -> None:
    for section in SECTIONS[1:]:
        if section.is_there:
            script = (sections.SCRIPTS / f"{section.name}.js").read_text(encoding="utf-8")
            assert re.search(r"^export (async )?function render\(", script, re.M), section.name
    style = (ROOT / "assets" / "css" / "page.css").read_text(encoding="utf-8")
    assert set(re.findall(r'data-keeps~="(\w+)"', style)) == set(PARTS)
