"""The project on a GPU, proved by one command: python -m benchmarks.gpu --out FOLDER --minutes 9

`exact`, `loop`, `minutes`, `sync` and `predict` are its parts, in order of worth. A part gets a `Report`, into which it
writes row by row, so that a run that is cut off keeps what it has. `project` is the one module here that knows the
project's insides; the parts know only it.
"""
