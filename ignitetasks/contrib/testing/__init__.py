"""Parts for the tests of projects: an app for a test, and a worker inside the test's process."""
