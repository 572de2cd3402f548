"""The breaks, room by room."""

from benchmarks.mutations.breaks import (
    agents,
    envs,
    evaluation,
    features,
    interactions,
    market,
    plugins,
    scripts,
    search,
    training,
)
from benchmarks.mutations.patches import Break

BREAKS: tuple[Break, ...] = tuple(
    one
    for room in (market, features, interactions, envs, agents, evaluation, training, search, plugins, scripts)
    for one in room.BREAKS
)
