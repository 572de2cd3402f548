"""Which columns come from plugins, and from which code: what was fitted with it is used with the same code alone."""

from collections.abc import Mapping

from common import PluginError, provider
from features.settings import FeatureSettings

Code = tuple[str, str]
"""a plugin's name and the hash of its code"""


def own_code(settings: FeatureSettings) -> dict[str, Code]:
    """The code of each indicator, family and forecaster that the settings use and a plugin has added.

    Returns:
        By list and name, such as `INDICATORS/below_high`, the plugin and the hash of its code.
    """
    used = {
        "INDICATORS": (*settings.indicators, *(settings.timeframe_columns if settings.timeframes else ())),
        "FAMILIES": settings.families,
        "FORECASTERS": settings.forecasts.models,
    }
    found = {f"{kind}/{name}": provider(kind, name) for kind, names in used.items() for name in names}
    return {place: (plugin.name, plugin.sha256) for place, plugin in sorted(found.items()) if plugin}


def require_loaded(code: Mapping[str, Code]) -> None:
    """Raise `PluginError` if the plugin of one of these is not loaded, or is loaded with other code."""
    for place, (plugin, sha256) in code.items():
        kind, name = place.split("/")
        now = provider(kind, name)
        if now is None:
            raise PluginError(
                f"these features use `{name}` of the plugin {plugin}, which is not loaded; load it first, with --plugin {plugin} "
                f"or `configs.load_plugins([{plugin!r}])`"
            )
        if now.sha256 != sha256:
            raise PluginError(
                f"these features were fitted with other code of `{name}`: the plugin {plugin} has changed since (hash "
                f"{now.sha256[:12]}, then {sha256[:12]}); restore it and load it again, or train again"
            )
