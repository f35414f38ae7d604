"""How many users share `--rate`: told to all of them, on workers too, as Locust adds users and takes them away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locust.env import Environment

from load.traffic.options import OptionShape

__all__ = ["tell_users"]


def tell_users(environment: Environment, wanted: Callable[[int], None], asked: Callable[[float], None]) -> None:
    """Write into the options how many users there are, at every step.

    `wanted` gets each new number that is aimed at, and `asked` at every step the share of the rate that is asked for.

    Whatever changes the number asks the dispatcher: the start of a test, the web UI, a shape, the keys of the terminal.
    What it gives goes to the workers together with the options.
    """
    dispatcher: Any = environment.dispatcher_class
    options: Any = environment.parsed_options

    class TellingDispatcher(dispatcher):  # type: ignore[misc]
        def new_dispatch(self, target_user_count: int, *args: Any, **kwargs: Any) -> None:
            wanted(target_user_count)
            super().new_dispatch(target_user_count, *args, **kwargs)

        def __next__(self) -> dict[str, dict[str, int]]:
            by_worker: dict[str, dict[str, int]] = super().__next__()
            users = sum(sum(by_class.values()) for by_class in by_worker.values())
            # With a shape of ours the rate has that shape, and is whole at its peak.
            shaped = isinstance(environment.shape_class, OptionShape)
            options.users_of_rate = (options.num_users if shaped else users) or 1
            asked(users / options.users_of_rate)
            return by_worker

    if options is not None:
        environment.dispatcher_class = TellingDispatcher
