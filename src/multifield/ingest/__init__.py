"""Sources of raw maps: mock suites, published files and downloads."""
