"""The road to Kubernetes: makes a release live in a namespace of a cluster."""
