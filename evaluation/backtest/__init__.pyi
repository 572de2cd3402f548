from .conclusion import as_json as as_json, conclude as conclude, in_words as in_words, share_in_words as share_in_words
from .contest import Contest as Contest, Played as Played, random_like as random_like, rehearse as rehearse
from .names import AGENT as AGENT, BUY_AND_HOLD as BUY_AND_HOLD, WALK_FORWARD as WALK_FORWARD
from .opened_ranges import OpenedRange as OpenedRange, open_ranges as open_ranges
from .outcome import Outcome as Outcome
from .subperiods import growths as growths, monthly_returns as monthly_returns, windows as windows
from .trained_run import WRITTEN as WRITTEN, TrainedRun as TrainedRun
from .walk_forward_windows import WalkForward as WalkForward, walk_forward as walk_forward
