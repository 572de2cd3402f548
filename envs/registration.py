"""Makes `gymnasium.make("coindojo/BitcoinTrading-v0")` work after `import envs`; `"envs:coindojo/..."` works without.

Gymnasium reads no entry points since its 1.0: an import registers.
"""

import gymnasium

ENV_ID = "coindojo/BitcoinTrading-v0"


def register() -> None:
    """Add the env to Gymnasium's registry, once."""
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(
            id=ENV_ID, entry_point="envs.gymnasium_make:make", vector_entry_point="envs.gymnasium_make:make_vector"
        )
