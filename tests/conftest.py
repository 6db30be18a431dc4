"""What holds for all tests."""

from hypothesis import settings

# No deadline per example: the machine's load is no fault of the code under test.
settings.register_profile("layerkit", deadline=None)
settings.load_profile("layerkit")
