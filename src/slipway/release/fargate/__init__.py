"""A release to a service of ECS whose tasks run on Fargate, with the `aws` program and the standard library alone."""
