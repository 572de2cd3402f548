"""Simulated markets whose best policy is known."""
