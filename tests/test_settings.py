"""Settings: one table; command line before environment before default; a value that does not fit is explained."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import pytest

from playground.errors import PlaygroundError
from playground.settings import PREFIX, Settings, flag_of, prepare_process, table, variable_of
from tests.trees import ROOT


def test_without_anything_said_every_setting_is_its_default():
    assert Settings.read([], {}) == Settings()
    assert Settings().port == 7860 and Settings().host == "127.0.0.1" and Settings().model == "default"


def test_the_command_line_goes_before_the_environment():
    environment = {"PLAYGROUND_PORT": "8000", "PLAYGROUND_HOST": "0.0.0.0"}
    assert Settings.read([], environment).port == 8000
    settings = Settings.read(["--port", "9000"], environment)
    assert (settings.port, settings.host) == (9000, "0.0.0.0")


@pytest.mark.parametrize("name", [spec.name for spec in fields(Settings)])
def test_every_setting_is_read_from_both_places(name):
    default = getattr(Settings(), name)
    other = {"backend": "toy", "device": "cpu", "dtype": "float32"}.get(name, "elsewhere")
    if isinstance(default, bool):
        assert getattr(Settings.read([flag_of(name)], {}), name) is True
        assert getattr(Settings.read(["--no-" + flag_of(name)[2:]], {variable_of(name): "1"}), name) is False
        for text, value in (("1", True), ("yes", True), ("True", True), ("0", False), ("off", False), ("", False)):
            assert getattr(Settings.read([], {variable_of(name): text}), name) is value
        return
    expected = default + 1 if isinstance(default, int) else other
    assert getattr(Settings.read([flag_of(name), str(expected)], {}), name) == expected
    assert getattr(Settings.read([], {variable_of(name): str(expected)}), name) == expected


@pytest.mark.parametrize("arguments, environment, says", [
    (["--port", "many"], {}, r"--port: 'many' is not a whole number"),
    (["--port", "-1"], {}, r"--port: -1 is below 0"),
    (["--port", "7860.5"], {}, "whole number"),
    (["--max-lanes", "1"], {}, r"--max-lanes: 1 is below 2"),
    (["--backend", "magic"], {}, "not one of transformers, toy"),
    (["--dtype", "int8"], {}, "auto, float32, bfloat16, float16"),
    ([], {"PLAYGROUND_PORT": "nan"}, r"PLAYGROUND_PORT: 'nan'"),
    ([], {"PLAYGROUND_OFFLINE": "perhaps"}, "PLAYGROUND_OFFLINE: 'perhaps' is neither yes nor no"),
])
def test_a_bad_value_is_named_with_its_place(arguments, environment, says):
    with pytest.raises(PlaygroundError, match=says):
        Settings.read(arguments, environment)


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["surplus"], ["--port"]])
def test_an_unknown_argument_ends_the_program_with_a_usage_line(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        Settings.read(arguments, {})
    assert ended.value.code == 2 and "usage: python app.py" in capsys.readouterr().err


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_home_directory_is_expanded_in_the_cache_path():
    assert "~" not in str(Settings().cache_path) and Settings(cache_dir="there").cache_path.name == "there"


def test_help_lists_every_setting_and_loads_nothing_heavy():
    code = ("import sys; sys.argv = ['app.py', '--help']; import runpy\n"
            "try: runpy.run_path('app.py', run_name='__main__')\n"
            "except SystemExit as end: code = end.code\n"
            "assert not {'torch', 'gradio', 'transformers'} & set(sys.modules); sys.exit(code)")
    environment = {**os.environ, "COLUMNS": "300"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
                          env=environment)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert len(table()) == len(fields(Settings))
    for flag, variable, default, meaning in table():
        assert flag in said and f"[{variable}; default {default}]" in said and meaning in said
        assert variable == PREFIX + flag[2:].replace("-", "_").upper()


def test_a_bad_value_on_the_command_line_is_one_line_without_a_traceback():
    done = subprocess.run([sys.executable, "app.py", "--port", "many"], cwd=ROOT, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and done.stderr.strip() == "--port: 'many' is not a whole number."


def test_the_process_is_kept_quiet():
    environment: dict[str, str] = {"NO_PROXY": "intranet"}
    prepare_process(Settings(), environment)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"  # gradio compares this very spelling
    assert environment["HF_HUB_OFFLINE"] == "1" and environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["NO_PROXY"] == "intranet,localhost,127.0.0.1"


def test_a_hub_id_may_reach_the_hub_unless_offline_is_said():
    for settings, offline in ((Settings(model="org/name"), False), (Settings(model="org/name", offline=True), True),
                              (Settings(model="org/name", backend="toy"), True)):
        environment: dict[str, str] = {"OMP_WAIT_POLICY": "ACTIVE"}
        prepare_process(settings, environment)
        assert ("HF_HUB_OFFLINE" in environment) is offline
        assert environment["OMP_WAIT_POLICY"] == "ACTIVE"  # what the owner of the machine chose stays


def test_classifiers_are_named_one_after_another(tmp_path):
    """A folder needs no hub; a hub id does, even beside the toy."""
    assert Settings().classifier_list == [] and Settings(classifiers=" a/b, ,c ").classifier_list == ["a/b", "c"]
    for named, offline in ((str(tmp_path), True), (f"{tmp_path},org/name", False), ("", True)):
        for backend in ("toy", "transformers"):
            environment: dict[str, str] = {}
            prepare_process(Settings(classifiers=named, backend=backend), environment)
            assert ("HF_HUB_OFFLINE" in environment) is offline
