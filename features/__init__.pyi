from .cache import CACHE as CACHE
from .coin_features import AnyFeatures as AnyFeatures, CoinFeatures as CoinFeatures, load_features as load_features
from .column_families import FAMILIES as FAMILIES, Family as Family, warmup_bars as warmup_bars
from .fitted import FittedFeatures as FittedFeatures
from .indicators import INDICATORS as INDICATORS, Indicator as Indicator
from .matrix import FeatureMatrix as FeatureMatrix
from .pipeline import FeaturePipeline as FeaturePipeline
from .plugin_kinds import FEATURE_KINDS as FEATURE_KINDS
from .progress import progress_shown as progress_shown, progress_to as progress_to
from .settings import FeatureSettings as FeatureSettings
