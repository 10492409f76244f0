"""The gate, and all that decides whether a challenger becomes the champion."""
