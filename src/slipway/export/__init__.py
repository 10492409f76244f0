"""The champion in the formats of other tools: as a model of MLflow, and as a version in its registry."""
