"""How a client talks to its node: `base` is the specification, the other modules are its implementations."""
