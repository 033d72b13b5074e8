"""Tools of all other packages: array types, files, progress, threads, versions."""
