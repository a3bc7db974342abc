"""What is refused at the door, with the reason: a request that starts should be able to finish.

Knows nothing about the queue or the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.fleet import Fleet
from playground.engine.records import Reading, Request
from playground.errors import PlaygroundError
from playground.models.backend import hidden
from playground.sampling.search import Search

MAX_SAMPLES = 100_000
MAX_STOPS, MAX_STOP_LENGTH = 16, 200


def check(work: Request | Reading, fleet: Fleet) -> None:
    """Raise PlaygroundError where the work could never be done."""
    if work.priority not in ("interactive", "bulk"):
        raise PlaygroundError(f"priority is interactive or bulk; got {str(work.priority)[:40]}.")
    if isinstance(work, Reading):
        _check_reading(work, fleet)
    else:
        _check_request(work, fleet)


def _check_request(request: Request, fleet: Fleet) -> None:
    _whole("max_tokens", request.max_tokens, 1)
    _whole("num_samples", request.num_samples, 1, MAX_SAMPLES)
    _whole("seed", request.seed, None)
    _whole("first_sample", request.first_sample, 0)
    if not request.prompt_ids:
        raise PlaygroundError("The prompt is empty. Type at least one character.")
    _check_branches(request, fleet)
    if request.memory is not None and len(request.memory) != len(request.chain.samplers):
        raise PlaygroundError("memory holds one value for each stage of the chain; carry it over with chain.carried.")
    _check_search(request, fleet)
    if isinstance(request.stop, str) or not all(isinstance(text, str) and text for text in request.stop):
        raise PlaygroundError("stop is a list of texts, none of them empty.")
    if len(request.stop) > MAX_STOPS or any(len(text) > MAX_STOP_LENGTH for text in request.stop):
        raise PlaygroundError(f"At most {MAX_STOPS} stop strings of at most {MAX_STOP_LENGTH} characters each.")


def _check_reading(reading: Reading, fleet: Fleet) -> None:
    if not reading.spans:
        raise PlaygroundError("There is nothing to read: give at least one span.")
    for span in reading.spans:
        _check_tokens(span.token_ids, fleet, span.model)
        _check_layers(span.layers, fleet, span.model)
        if not span.keys or span.first < 0 or span.wanted.stop > len(span.token_ids):
            raise PlaygroundError(f"Rows {span.wanted} are not within a text of {len(span.token_ids)} tokens.")


def _check_branches(request: Request, fleet: Fleet) -> None:
    num_others, num_weights = len(request.other_branches), len(request.guidance.weights) - 1
    if not request.guidance.is_off and num_others != num_weights:
        raise PlaygroundError(
            f"guidance.weights weighs the prompt and {num_weights} other branches; {num_others} were given. "
            "Give one weight for the prompt and one for each other branch."
        )
    for branch in request.other_branches:
        if not branch.token_ids:
            raise PlaygroundError("A negative prompt or other branch holds no tokens: type at least one character.")
    for branch in request.branches:
        _check_tokens(branch.token_ids, fleet, branch.model)
        _check_layers(branch.layers, fleet, branch.model)


def _check_search(request: Request, fleet: Fleet) -> None:
    if request.search is None:
        return
    if not isinstance(request.search, Search):
        raise PlaygroundError("search is Greedy(), BeamSearch(...), ContrastiveSearch(...) or None.")
    if request.looks_ahead and request.num_samples > 1:
        raise PlaygroundError(f"{request.search.title} finds one text; leave num_samples at 1.")
    if request.search.needs_states and hidden(fleet.backend()) is None:
        raise PlaygroundError(f"{request.search.title} reads hidden states, and this model shows none.")
    longest = max(len(branch.token_ids) for branch in request.branches)
    if request.search.needs_states and longest >= fleet.max_context():
        raise PlaygroundError("The text fills the model's context: contrastive search has no room to read a candidate.")


def _check_layers(layers: str, fleet: Fleet, model: int) -> None:
    if layers not in ("", "low", "high"):
        raise PlaygroundError(f"A branch reads the low or the high layers, or the last one; got {str(layers)[:40]}.")
    if layers and hidden(fleet.backend(model)) is None:
        raise PlaygroundError("A branch asks for earlier layers, and this model shows no hidden states.")


def _check_tokens(token_ids: Sequence[int], fleet: Fleet, model: int) -> None:
    if not token_ids:
        raise PlaygroundError("A text of no tokens cannot be read.")
    if not fleet.has(model):
        raise PlaygroundError(
            f"A branch asks for model {model + 1} and {len(fleet.models)} "
            f"{'is' if len(fleet.models) == 1 else 'are'} loaded. Start with --second-model."
        )
    longest = fleet.max_context(model)
    if len(token_ids) > longest:
        raise PlaygroundError(
            f"The text is {len(token_ids):,} tokens long and this model reads at most {longest:,}. Shorten it."
        )
    if min(token_ids) < 0 or max(token_ids) >= fleet.vocabulary.size:
        raise PlaygroundError(f"A token id is outside 0 to {fleet.vocabulary.size - 1}.")


def _whole(name: str, value: object, low: int | None, high: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PlaygroundError(f"{name} must be a whole number; got {str(value)[:40]}.")
    if (low is not None and value < low) or (high is not None and value > high):
        raise PlaygroundError(f"{name} must be at least {low}{f' and at most {high:,}' if high else ''}; got {value}.")
