"""What runs on the box: it makes a release live behind nginx, or goes back to the one before."""
