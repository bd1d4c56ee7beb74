"""How Rondo is run: the embedded default for one machine, the container image, compose and Kubernetes."""
