from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from .garbage import SOMEBODY_WAITS, collect_rarely
from .guard import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balsync_project.settings")
if os.environ.get("BALSYNC_DIE_WITH_PARENT"):
    die_with_parent()

application = get_wsgi_application()
collect_rarely(SOMEBODY_WAITS)
