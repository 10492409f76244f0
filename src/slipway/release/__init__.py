"""From a commit to the live container: the release key, the image's labels, and the swap on the box.

Standard library alone: the box runs it with the system's Python, as a zipapp.
"""
