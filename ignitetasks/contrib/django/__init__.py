"""Django: settings, discovery of tasks, sending after a commit, and ``manage.py ignitetasks``.

An app that is made where ``DJANGO_SETTINGS_MODULE`` is set fits itself into the project, see `fixup`. Adding
``"ignitetasks.contrib.django"`` to ``INSTALLED_APPS`` adds the management command. Importing this imports no Django.
"""
