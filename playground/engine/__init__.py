"""The engine: one thread, one model, many users; requests go in and streams of steps come out.

Knows nothing about charts, pages or lessons; it is the only home of threads that touch a model.
"""

from playground.engine.contexts import OtherBranch, Texts, other_branches, read_prompt
from playground.engine.engine import Engine
from playground.engine.host import EngineHost, one_thread_worker
from playground.engine.records import (
    BeamStep,
    Branch,
    ContrastiveStep,
    Done,
    Progress,
    Reading,
    Request,
    Span,
    Step,
)
from playground.engine.refilling import around, branch_key
from playground.engine.status import Status
from playground.engine.stream import Item, Stream
from playground.engine.warm_up import warm_up
from playground.engine.writing import chat_ids, request_for, text_ids

__all__ = [
    "BeamStep",
    "Branch",
    "ContrastiveStep",
    "Done",
    "Engine",
    "EngineHost",
    "Item",
    "OtherBranch",
    "Progress",
    "Reading",
    "Request",
    "Span",
    "Status",
    "Step",
    "Stream",
    "Texts",
    "around",
    "branch_key",
    "chat_ids",
    "one_thread_worker",
    "other_branches",
    "read_prompt",
    "request_for",
    "text_ids",
    "warm_up",
]
