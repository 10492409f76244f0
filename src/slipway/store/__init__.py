"""Where bundles live: the local folder, the remote one, the pointer and the journal."""
