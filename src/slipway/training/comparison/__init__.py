"""The search: which trial, or blend of trials, answers best the rows that it has not learned from."""
