"""A release on an Azure Web App for Containers, with the `az` program and the standard library alone."""
