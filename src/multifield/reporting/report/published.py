"""What the published benchmark and its followers reach, for scale beside results on real CMD suites."""

PUBLISHED = (
    (
        "N-body Mtot, 6,000 test rows",
        "epsilon 1.58 %, R2 0.9974, chi2 0.54",
        "epsilon 1.34 %, R2 0.987, chi2 0.78",
        "released result file",
    ),
    (
        "the same, smoothed by 3 pixels",
        "epsilon 5.7 %",
        "epsilon 1.8 %",
        "released result file",
    ),
    ("Mtot across suites", "4 %", "2.5 %", "arXiv:2109.10360"),
    (
        "T of IllustrisTNG, smoothed by 2 pixels, six parameters",
        "relative error 5.2 %",
        "relative error 4.7 %",
        "loss of its test maps: -11.58",
    ),
    ("T, trained on IllustrisTNG, tested on SIMBA", "relative error about 48 %", "", "not robust"),
    ("P(k) of Mgas alone, linear or a small network", "R2 0.83", "R2 0.45 to 0.54", "by others"),
)
"""Case, Omega_m, sigma_8, source; errors are relative to the true value."""
