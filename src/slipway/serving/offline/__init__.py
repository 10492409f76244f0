"""The form without the server: what a device needs to answer by itself."""
