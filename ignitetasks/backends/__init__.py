"""Where results are, under the name that users of Celery know. This file must not define anything."""
