"""The project on a GPU, proved by one command: python -m benchmarks.gpu --out FOLDER --minutes 9

`exact`, `loop`, `pipeline`, `minutes`, `sync` and `predict` are its parts, the most important first. A part gets a
`Report`, into which it writes row by row, so that a run that is cut off keeps what it has. `project` is the one module
here that imports from src/ and stages/; the parts call the project only through it.
"""
