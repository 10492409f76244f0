"""Whole tables scored with the champion: in bounded memory, and again from where it stopped."""
