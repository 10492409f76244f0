"""What deploy/rehearse_loop.py is made of: parcels, a clock, a service, a small disk, and the repositories."""
