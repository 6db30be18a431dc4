"""layerkit and the alternatives that a user has, measured side by side: `python -m benchmarks`, or `make bench`.

material      the layer: real files of this machine, or one that is given; as gzip, OCI archive and docker archive
files         which files of this machine, and layers made of them
archives      images around a layer
measuring     one command: time, peak memory, temporary disk
contest       several commands in alternation, each result checked
results       what comes out: sections of rows, goals, curves
registry      the real docker-registry on loopback
commands      how each contender is called
experiments   fixing, pushing, scaling, scanning, next_release: each makes a section
report, plot  Markdown, JSON, PNG
"""
