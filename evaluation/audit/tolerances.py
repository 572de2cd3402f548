"""How far the columns of the same bar may differ, in scaled units."""

START_TOLERANCE = 0.1
"""if the candles begin later"""
LIVE_TOLERANCE = 1e-6
"""if it is computed from the stated look-back alone"""
