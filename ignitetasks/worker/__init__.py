"""The worker runtime: takes tasks from a node and runs them in child processes, threads, or right here.

`main.run_worker` is what the command line calls and `local.LocalWorker` what scripts and notebooks use; everything else
in this package may change. Nothing is imported here: most commands need one part of it.
"""
