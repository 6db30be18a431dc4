"""What images have in common, and what one release adds to another.

In: images, by their layers' digests or by their files. Out: what is the same, what came, what went, each with what it costs to
push.
"""
