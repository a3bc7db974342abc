"""The Gradio theme: system fonts only (nothing is fetched), the page's own colours.

Knows nothing about the page's layout; that is ``assets/css``.
"""

from __future__ import annotations

import gradio as gr

FONT = ("Inter", "Segoe UI", "system-ui", "sans-serif")
MONO = ("ui-monospace", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        spacing_size="sm",
        text_size="sm",
        font=FONT,
        font_mono=MONO,
    ).set(
        slider_color="var(--pg-final)",
        slider_color_dark="var(--pg-final)",
        button_primary_background_fill="var(--pg-final)",
        button_primary_background_fill_dark="var(--pg-final)",
        button_primary_text_color="#ffffff",
    )
