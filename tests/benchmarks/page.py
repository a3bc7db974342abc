"""Benchmark of the page: from a slider's event to the repainted chart, alone and while four others generate.

Starts the real app with the default model on a free port and drives Chromium. Prints a table for people and one JSON
line last. Run: python tests/benchmarks/page.py [--moves 120] [--cache-dir DIR]
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KNOBS = [
    ("knob-temperature-temperature", 0.5, 2.5),
    ("knob-min_p-min_p", 0.01, 0.3),
    ("knob-top_p-top_p", 0.5, 0.99),
    ("guidance-scale", 1.05, 3.0),
]

MOVE = """async ([id, value]) => {
  const input = document.querySelector(`#${id} input[type=range]`);
  const before = Number(document.body.dataset.painted);
  const start = performance.now();
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, value);
  input.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (Number(document.body.dataset.painted) > before) { observer.disconnect(); resolve(); }
    });
    observer.observe(document.body, { attributes: true, attributeFilter: ['data-painted'] });
  });
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=120)
    parser.add_argument("--cache-dir", default=None)
    parser.add_argument("--others", type=int, default=4)
    arguments = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port)]
    if arguments.cache_dir:
        command += ["--cache-dir", arguments.cache_dir]
    started = time.perf_counter()
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        answer = measure(f"http://127.0.0.1:{port}", arguments.moves, arguments.others, started)
    finally:
        server.terminate()
        server.wait(20)
    report(answer)


def measure(url: str, moves: int, others: int, started: float) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    wait_until(lambda: status(url) is not None, 60)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(url)
        page.wait_for_selector("body[data-painted]", timeout=60_000)
        first_chart_s = time.perf_counter() - started
        page.wait_for_selector("body[data-ready=true]", timeout=120_000)
        page.evaluate("document.querySelector('#on-top_p input').click()")
        page.wait_for_timeout(1500)
        alone = drag(page, moves)
        stop, threads = threading.Event(), []
        for number in range(others):
            threads.append(threading.Thread(target=generate_until, args=(url, number, stop), daemon=True))
            threads[-1].start()
        wait_until(lambda: (status(url) or {}).get("num_users_generating", 0) >= others, 60)
        page.wait_for_timeout(1000)
        crowded = drag(page, moves)
        pace = (status(url) or {}).get("tokens_per_s")
        users = (status(url) or {}).get("num_users_generating")
        stop.set()
        kept = page.evaluate("document.getElementById('distribution').isConnected")
        browser.close()
    return {
        "first_chart_s": first_chart_s,
        "alone_ms": alone,
        "crowded_ms": crowded,
        "others": others,
        "others_generating_at_end": users,
        "others_tokens_per_s": pace,
        "chart_kept": kept,
    }


def drag(page: Any, moves: int) -> list[float]:
    """Milliseconds of each single move; the knobs take turns, every value differs from the last."""
    page.evaluate(MOVE, [KNOBS[0][0], "1.37"])
    times = []
    for move in range(moves):
        name, low, high = KNOBS[move % len(KNOBS)]
        share = ((move * 37) % 101) / 101
        times.append(page.evaluate(MOVE, [name, f"{low + share * (high - low):.3f}"]))
        page.wait_for_timeout(40)
    return times


def generate_until(url: str, number: int, stop: threading.Event) -> None:
    """One other visitor: long generations through the public endpoint, one after another."""
    from gradio_client import Client

    client = Client(url, verbose=False)
    while not stop.is_set():
        job = client.submit(
            f"Visitor {number} tells a long story. Once upon a time",
            "",
            1.0,
            [{"sampler": "min_p", "min_p": 0.1}],
            400,
            number,
            api_name="/generate",
        )
        while not job.done() and not stop.is_set():
            time.sleep(0.2)
        job.cancel()


def status(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{url}/pg/v1/status", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def wait_until(true: Any, timeout_s: float) -> None:
    end = time.perf_counter() + timeout_s
    while not true():
        if time.perf_counter() > end:
            raise TimeoutError
        time.sleep(0.05)


def report(answer: dict[str, Any]) -> None:
    print(f"{'slider event to repainted chart':34} {'p50':>7} {'p95':>7} {'max':>7}  ms")
    for name in ("alone_ms", "crowded_ms"):
        times = answer.pop(name)
        cuts = statistics.quantiles(times, n=20)
        label = "alone" if name == "alone_ms" else f"{answer['others']} others generating"
        print(f"{label:34} {cuts[9]:7.1f} {cuts[18]:7.1f} {max(times):7.1f}")
        answer[name.replace("_ms", "")] = {
            "p50_ms": round(cuts[9], 1),
            "p95_ms": round(cuts[18], 1),
            "max_ms": round(max(times), 1),
            "moves": len(times),
        }
    print(f"first interactive chart {answer['first_chart_s']:.1f} s after the command")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
