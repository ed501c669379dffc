"""Programs of an application as objects: its workers and its beats."""
