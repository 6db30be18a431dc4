"""What an image's files cost to push, and which of them nobody needs.

In: an image, whose layers are decoded once each. Out: every file with the bytes that it takes of its compressed layer, whether a
later layer replaces or deletes it, what its content is and which package it belongs to; summed up in `Contents`, or as a tree.
"""
