"""Start the Decoding Playground: settings -> model -> engine -> interface -> launch."""

from __future__ import annotations

import sys

from playground.errors import PlaygroundError
from playground.settings import Settings, prepare_process


def main() -> None:
    """Read the settings, open the page at once and load the model behind it."""
    settings = Settings.read(sys.argv[1:])
    prepare_process(settings)  # before torch and gradio are imported

    from playground.engine import Engine, EngineHost, one_thread_worker, warm_up
    from playground.engine.host import Progress
    from playground.models import load_model
    from playground.models.progress import part
    from playground.serve.launch import launch
    from playground.studies import first_view
    from playground.studies.inspect import Inspector
    from playground.ui.desk import Desk
    from playground.ui.session import Sessions

    def make(progress: Progress) -> Engine:
        names = [name for name in (settings.model, settings.second_model, settings.third_model) if name]
        models = [
            load_model(
                name,
                backend=settings.backend,
                device=settings.device,
                dtype=settings.dtype,
                cache_dir=settings.cache_path,
                progress=part(progress, number / len(names), (number + 1) / len(names)),
            )
            for number, name in enumerate(names)
        ]
        engine = Engine(
            models[0],
            others=models[1:],
            num_threads=settings.num_threads or None,
            max_lanes=settings.max_lanes,
            kv_budget_mb=settings.kv_budget_mb,
            store_budget_mb=settings.store_budget_mb,
            max_queue=settings.max_queue,
        )
        warm_up(engine)
        return engine

    host = EngineHost(make)
    is_default = settings.model == "default" and settings.backend == "transformers"
    inspector = Inspector(host, first_view.load() if is_default else None, one_thread_worker("charts"))
    host.start()
    launch(Desk(settings, host, inspector, Sessions(settings.max_sessions)), settings, host.close)


if __name__ == "__main__":
    try:
        main()
    except PlaygroundError as error:
        sys.exit(str(error))
