"""Words that pages take from stored values, by `{% translate variable %}`: named here so that they get translated."""

from django.utils.translation import gettext_noop

STATES = (
    gettext_noop("queued"),
    gettext_noop("running"),
    gettext_noop("training"),
    gettext_noop("done"),
    gettext_noop("stopped"),
    gettext_noop("incomplete"),
    gettext_noop("failed"),
    gettext_noop("cancelled"),
)
DEMO_STEPS = (
    gettext_noop("database"),
    gettext_noop("web server"),
    gettext_noop("page up"),
    gettext_noop("the base and its earlier checkpoints"),
    gettext_noop("data set"),
    gettext_noop("named characters"),
    gettext_noop("prepared data set"),
    gettext_noop("all epochs"),
    gettext_noop("every image of every checkpoint"),
)
MANIFEST_FIELDS = (
    gettext_noop("preset"),
    gettext_noop("architecture"),
    gettext_noop("prediction type"),
    gettext_noop("config sha256"),
    gettext_noop("created at"),
)
