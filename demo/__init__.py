"""`make demo`: an image that a registry refuses, and what layerkit makes of it. Shows commands that a user would type."""
