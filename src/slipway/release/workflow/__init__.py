"""What the jobs of a workflow ask for beside the image: their settings, a summary of the tests, the next model's proposal."""
