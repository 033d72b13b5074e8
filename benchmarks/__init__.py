"""Timings. Each benchmark checks that both sides give the same result."""
