"""The screen of functions and objects with which maps are used from Python; see `multifield`."""
