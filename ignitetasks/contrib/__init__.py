"""Parts for use beside other software: frameworks and tests. Each is imported only by those who use it."""
