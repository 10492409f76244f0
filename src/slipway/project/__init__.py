"""A repository of one's own: what `slipway new` writes and `slipway upgrade` brings up to date."""
