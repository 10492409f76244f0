"""The whole release path on one machine: `make rehearse`, and the end-to-end tests, are made of these parts."""
