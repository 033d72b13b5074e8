"""Timings. Each checks the answer it times; `tests` asks whether answers are right."""
