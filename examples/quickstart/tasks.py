"""The smallest application: one task.

Must not start anything when it is imported: workers import it too.
"""

from ignitetasks import IgniteTasks

app = IgniteTasks("shop")


@app.task
def add(x: int, y: int) -> int:
    """Returns the sum; still an ordinary function when it is called as one."""
    return x + y
