"""Where raw maps come from: mock suites, published files, downloads."""
