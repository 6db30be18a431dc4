"""`python -m layerkit.cli`, for when the script isn't on PATH."""

from layerkit.cli.main import main

main()
