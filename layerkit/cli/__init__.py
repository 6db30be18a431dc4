"""The commands. In: arguments, the environment, standard input. Out: results on standard output, the rest on standard error.

One module per command, each with a `command`; `main.py` finds them by name. The only package that reads the environment of the
process, writes to standard output or decides an exit code.
"""
