"""The release program on the box: makes a release live behind nginx, or rolls back to the previous one."""
