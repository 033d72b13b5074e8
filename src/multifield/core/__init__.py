"""Tools that every other package uses: array types, files, progress, threads, versions."""
