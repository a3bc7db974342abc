"""Language models behind one seam: loading, the backends, the vocabulary and the chat template.

Knows nothing about sampling, requests or pages; transformers is imported only when a model is loaded.
"""

from playground.models.backend import Backend, Chunk, HiddenStates, Message, Model, Vocabulary, hidden
from playground.models.loading import load_model
from playground.models.toy import ToyBackend

__all__ = [
    "Backend",
    "Chunk",
    "HiddenStates",
    "Message",
    "Model",
    "ToyBackend",
    "Vocabulary",
    "hidden",
    "load_model",
]
