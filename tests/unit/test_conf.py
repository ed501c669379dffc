"""``app.conf``: names old and new, layers, what is refused, and what it comes to for the instance."""

from __future__ import annotations

import logging
import sys
import types
from datetime import timedelta, timezone

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.app import conf as conf_module
from ignitetasks.errors import ConfigurationError
from ignitetasks.worker import asked


@pytest.fixture
def app():
    return IgniteTasks("conf", set_as_current=False)


@pytest.fixture
def module(monkeypatch):
    def make(**values):
        made = types.ModuleType("shop_settings")
        vars(made).update(values)
        monkeypatch.setitem(sys.modules, "shop_settings", made)
        return "shop_settings"

    return make


def test_attribute_and_item_access(app):
    app.conf.task_acks_late = False
    assert app.conf["task_acks_late"] is False and app.conf.task_acks_late is False
    app.conf["timezone"] = "Europe/Berlin"
    assert str(app.timezone) == "Europe/Berlin"
    app.conf.update(task_track_started=True, result_expires=60)
    assert app.conf.get("task_track_started") and app.conf.result_expires == 60
    assert app.settings.result_expires_seconds == 60
    assert app.conf.get("nothing_like_it", 5) == 5 and "nothing_like_it" not in app.conf
    assert "task_routes" in app.conf and app.conf.task_routes is None
    del app.conf["timezone"]
    assert app.timezone is timezone.utc


def test_settings_of_the_instance_are_settings_too(app):
    app.conf.update(task_default_queue="mail", task_serializer="json", heap_mb=128)
    settings = app.settings
    assert (settings.default_queue, settings.task_serializer, settings.heap_mb) == ("mail", "json", 128)
    app.configure(default_queue="other")
    assert app.conf.task_default_queue == "other"


def test_an_app_knows_the_namespace_of_its_configuration(app):
    assert app.namespace is None
    app.config_from_object({"SHOP_RESULT_EXPIRES": 5}, namespace="SHOP")
    assert (app.namespace, app.conf.result_expires) == ("SHOP", 5)


def test_accepting_json_alone_means_json(app):
    app.conf.accept_content = ["application/json", "application/text"]
    assert (app.settings.task_serializer, app.settings.result_serializer) == ("json", "json")
    app.conf.task_serializer = "pickle"
    with pytest.raises(ConfigurationError, match="accept_content"):
        _ = app.settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("task_ackslate", True, "did you mean 'task_acks_late'"),
        ("worker_nonsense_thing", 1, "no setting 'worker_nonsense_thing'"),
        ("task_acks_late", "yes", "must be True or False"),
        ("task_serializer", "xml", "one of"),
        ("worker_prefetch_multiplier", -1, "whole number"),
        ("task_compression", "rar", "gzip"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(app, name, value, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        app.conf[name] = value
    assert name in str(caught.value) and "app.conf" in str(caught.value)


def test_a_projects_own_names_are_kept(app):
    app.conf.MY_SHOP = 5
    assert app.conf.MY_SHOP == 5
    with pytest.raises(AttributeError, match="did you mean 'task_routes'"):
        _ = app.conf.task_route


def test_what_cannot_apply_is_named_once(app, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    monkeypatch.setattr(conf_module, "_named", set())
    for _ in range(2):
        app.conf.broker_pool_limit = 10
    lines = [one.getMessage() for one in caplog.records if "broker_pool_limit" in one.getMessage()]
    assert len(lines) == 1 and "one connection" in lines[0]
    assert app.conf.broker_pool_limit == 10


def test_config_from_a_module_by_name(app, module):
    name = module(task_acks_late=False, CELERYD_CONCURRENCY=3, os=sys, _hidden=1, helper=len, result_expires=None)
    app.config_from_object(name)
    assert not app.configured
    assert app.conf.task_acks_late is False and app.conf.worker_concurrency == 3
    assert "os" not in app.conf.table() and app.settings.result_expires_seconds > 86400 * 365


def test_config_with_a_namespace_takes_only_its_names(app, module):
    name = module(CELERY_TASK_ALWAYS_EAGER=True, TASK_TRACK_STARTED=True, CELERY_TIMEZONE="UTC", DEBUG=True)
    app.config_from_object(name, namespace="CELERY")
    assert app.conf.task_always_eager is True and app.conf.task_track_started is False


def test_constants_among_a_projects_settings_are_named_once_and_kept(app, module, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    monkeypatch.setattr(conf_module, "_named", set())
    for _ in range(2):
        app.config_from_object(
            module(CELERY_TASK_ALWAYS_EAGR=True, CELERY_TASK_MAX_RETRIES=3, CELERY_QUEUES_FILE="q"), namespace="CELERY"
        )
        assert app.conf.task_always_eager is False
    assert caplog.text.count("did you mean 'task_always_eager'") == 1
    assert caplog.text.count("'task_max_retries', which is no setting; it is taken for a constant") == 1
    assert app.conf.task_max_retries == 3
    app.config_from_object(module(CELERY_VERSION="5.7", WORKER_NAME="w", task_always_eager=True))
    assert app.conf.task_always_eager is True and app.conf.CELERY_VERSION == "5.7"
    app.conf.update({"RESULT_PAGES": 3, "TASK_ROUTE": 1})  # as an application's whole settings are handed over
    app.config_from_object(module(task_always_eagr=True))
    with pytest.raises(ConfigurationError, match=r"shop_settings.*did you mean 'task_always_eager'"):
        _ = app.conf.task_always_eager


def test_the_form_of_messages_is_told_as_it_is(app):
    app.conf.task_protocol = 1
    assert app.conf.task_protocol == 2


def test_config_from_a_class_a_map_and_an_attribute(app, module):
    class Config:
        enable_utc = False
        task_default_queue = "classy"

    app.config_from_object(Config)
    assert app.conf.task_default_queue == "classy" and app.conf.enable_utc is False
    app.config_from_object({"task_default_queue": "mapped"})
    assert app.settings.default_queue == "mapped" and app.conf.enable_utc is True
    app.config_from_object(module(inner=Config) + ":inner")
    assert app.conf.task_default_queue == "classy"


def test_layers(app, module):
    app.add_defaults({"task_default_queue": "least", "task_track_started": True})
    app.add_defaults(lambda: {"worker_concurrency": 7})
    app.config_from_object(module(task_default_queue="middle"))
    assert app.conf.task_default_queue == "middle" and app.conf.task_track_started
    app.conf.task_default_queue = "most"
    assert app.conf.task_default_queue == "most" and app.conf.worker_concurrency == 7
    assert app.conf.changes == {"task_default_queue": "most"}


def test_missing_modules_and_variables(app, monkeypatch):
    app.config_from_object("no_such_module_here")
    with pytest.raises(ImportError):
        _ = app.conf.timezone
    app.config_from_object("no_such_module_here", silent=True)
    assert app.conf.timezone is None
    with pytest.raises(ConfigurationError, match="SHOP_CONFIG"):
        app.config_from_envvar("SHOP_CONFIG")
    assert app.config_from_envvar("SHOP_CONFIG", silent=True) is False


def test_config_from_the_environment_and_a_command_line(app, module, monkeypatch):
    monkeypatch.setenv("SHOP_CONFIG", module(task_default_queue="env"))
    assert app.config_from_envvar("SHOP_CONFIG", force=True)
    assert app.conf.task_default_queue == "env"
    app.config_from_cmdline(["task_acks_late=no", "worker.concurrency=4", "imports=a,b"])
    assert app.conf.task_acks_late is False and app.conf.worker_concurrency == 4 and app.conf.imports == ("a", "b")
    app.config_from_cmdline([".prefetch_multiplier=9", "task.default_priority=2"], namespace="worker")
    assert app.conf.worker_prefetch_multiplier == 9 and app.conf.task_default_priority == 2
    with pytest.raises(ConfigurationError, match="name=value"):
        app.config_from_cmdline(["task_acks_late"])


def test_humanize_hides_secrets(app):
    app.conf.update(redis_password="hush", task_default_queue="mail")
    text = app.conf.humanize()
    assert "hush" not in text and "task_default_queue: 'mail'" in text
    assert "timezone" in app.conf.humanize(with_defaults=True) and "timezone" not in text
    assert app.conf.table(censored=False)["redis_password"] == "hush"
    assert "task_default_queue" in app.bugreport() and "hush" not in app.bugreport()
    app.conf.update(broker_url="amqp://me:h:u@sh@host:5/v", result_backend="redis://host/0")
    shown = app.conf.table()
    assert (shown["broker_url"], shown["result_backend"]) == ("amqp://me:********@host:5/v", "redis://host/0")


def test_find_and_parts(app):
    assert app.conf.find_option("acks_late", "task") == ("task", "acks_late", True)
    assert app.conf.find_value_for_key("disable_rate_limits") is False
    assert app.conf.get_by_parts("result", "expires") == timedelta(days=1)
    with pytest.raises(KeyError):
        app.conf.find_option("nothing")


@pytest.mark.parametrize("namespace", [None, "SHOP"])
def test_names_of_the_projects_own_are_found_in_its_configuration(app, namespace):
    class Source:
        SHOP_TASK_TRACK_STARTED = task_track_started = True
        CURRENCY = SHOP_CURRENCY = "EUR"

    app.config_from_object(Source, namespace=namespace)
    assert app.conf.task_track_started is True
    assert app.conf.CURRENCY == "EUR" and app.conf["CURRENCY"] == "EUR" and "CURRENCY" in app.conf
    if namespace:
        assert app.conf.currency == "EUR"
    assert "CURRENCY" not in app.conf.table()
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = app.conf.NOTHING


def test_a_switch_may_be_a_number(app):
    app.conf.update(task_always_eager=1, task_acks_late=0)
    assert app.conf.task_always_eager is True and app.conf.task_acks_late is False
    with pytest.raises(ConfigurationError, match="True or False, not 2"):
        app.conf.task_always_eager = 2


def test_celerys_arguments_are_accepted(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    monkeypatch.setattr(conf_module, "_named", set())
    app = IgniteTasks("proj", broker="redis://:pw@host/0", backend="rpc://", include=["json"], task_track_started=True)
    assert app.conf.broker_url == "redis://:pw@host/0" and app.conf.include == ("json",)
    assert app.conf.task_track_started is True
    assert "There is no broker" in caplog.text and "pw" not in caplog.text
    assert IgniteTasks("mem", broker="memory://").settings.transport == "memory://"
    assert IgniteTasks("far", broker="ignite://a:1,b").settings.cluster == ("a:1", "b")
    with pytest.raises(ConfigurationError, match="is no task"):
        IgniteTasks("x", tasks={"a": print})
    assert IgniteTasks("x", loader="default").loader.app.name == "x"
    with pytest.raises(ConfigurationError, match="did you mean 'task_routes'"):
        IgniteTasks("x", task_route={})


def test_who_only_sends_is_configured_too():
    app = IgniteTasks("c", transport="memory", set_as_current=False)
    add = app.task(name="add")(lambda x: x)
    told = []
    app.on_configure.connect(lambda **_: told.append("configure"), weak=False)

    @app.on_after_configure.connect
    def after(sender, source, **_):
        told.append("after")
        sender.conf.task_default_queue = "chosen"

    assert not app.configured
    sent = add.delay(1)
    assert told == ["configure", "after"] and app.configured and sent.queue == "chosen"
    add.delay(2)
    _ = app.tasks
    assert told == ["configure", "after"]


def test_after_configure_and_after_finalize_reach_the_late(app):
    heard = []
    app.on_after_configure.connect(lambda sender, source, **_: heard.append(("configured", source)), weak=False)
    app.finalize()
    app.on_after_finalize.connect(lambda sender, **_: heard.append(("finalized", sender)), weak=False)
    assert heard == [("configured", app.conf), ("finalized", app)]


def test_a_wrong_time_zone_is_named(app):
    app.conf.timezone = "Mars/Olympus"
    with pytest.raises(ConfigurationError, match="Mars/Olympus"):
        _ = app.timezone
    app.conf.timezone = timezone.utc
    assert app.now().tzinfo is timezone.utc and app.uses_utc_timezone()


def test_what_programs_read_of_settings_that_switch_nothing():
    first, second = IgniteTasks("first"), IgniteTasks("second")
    assert first.conf.task_protocol >= 2
    first.conf.broker_transport_options["visibility_timeout"] = 60
    assert first.conf.broker_transport_options.get("visibility_timeout") == 60
    assert second.conf.broker_transport_options == {} and second.conf.broker_pool_limit is None
    second.conf.broker_transport_options = {"region": "x"}
    assert second.conf.broker_transport_options == {"region": "x"}


def test_what_was_set_can_be_popped() -> None:
    conf = IgniteTasks("pop", set_as_current=False).conf
    conf.task_default_queue = "mine"
    assert conf.pop("CELERY_TASK_DEFAULT_QUEUE", None) == "mine"
    assert conf.pop("task_default_queue", "other") == "other"
    assert conf.task_default_queue != "mine"
    with pytest.raises(KeyError):
        conf.pop("task_default_queue")
    conf.update(MY_OWN=3)
    assert conf.pop("MY_OWN") == 3 and "MY_OWN" not in conf


def test_a_configuration_object_may_be_read_again():
    class Source:
        task_time_limit = 7
        task_default_queue = "mail"

    app = IgniteTasks("again", transport="memory", set_as_current=False)
    app.config_from_object(Source)
    app.conf.task_soft_time_limit = 3
    assert app.conf.task_time_limit == 7
    Source.task_time_limit = 9
    del Source.task_default_queue
    assert app.conf.task_time_limit == 7
    app.conf.read_again()
    assert (app.conf.task_time_limit, app.conf.task_soft_time_limit) == (9, 3)
    assert app.conf.task_default_queue == "celery"


def test_names_that_are_listed_and_not_there_are_no_settings():
    class Listing:
        task_time_limit = 7

        def __dir__(self):
            return ["task_time_limit", "task_default_queue"]

    app = IgniteTasks("listing", transport="memory", set_as_current=False)
    app.config_from_object(Listing())
    assert (app.conf.task_time_limit, app.conf.task_default_queue) == (7, "celery")


def test_an_attribute_error_inside_the_app_says_what_was_missing():
    app = IgniteTasks("broken", transport="memory", set_as_current=False)
    with pytest.raises(AttributeError, match="has no 'setup_security': pickles are signed"):
        _ = app.setup_security
    app.prepare_config = lambda given: given.nothing_there
    app.config_from_object({"task_time_limit": 7})
    with pytest.raises(AttributeError, match="nothing_there"):
        _ = app.eager


def test_finalize_reads_now(app, module):
    app.config_from_object(module(task_default_queue="now"))
    assert app.conf.finalize() is app.conf and app.conf._source["task_default_queue"] == "now"


@pytest.mark.parametrize("name", ["MY_API_URL", "TOKEN", "apikey", "A_SECRET", "PASSPHRASE", "SIGNATURE", "DATABASE"])
def test_what_is_named_as_a_secret_is_hidden(app, name):
    app.conf[name] = "hush"
    assert app.conf.table()[name] == "********"


def test_results_may_be_accepted_in_other_encodings_than_arguments(app):
    app.conf.update(accept_content=["json"], result_accept_content=["application/x-python-serialize", "json"])
    assert app.settings.result_serializer == "pickle"
    app.conf.result_serializer = "json"
    assert (app.settings.task_serializer, app.settings.result_serializer) == ("json", "json")
    app.conf.result_serializer = "msgpack"
    with pytest.raises(ConfigurationError, match=r"'msgpack' is not in result_accept_content \['pickle', 'json'\]"):
        _ = app.settings


def test_one_task_in_hand_may_be_a_setting(app):
    app.conf.worker_prefetch_multiplier = 9
    assert asked.prefetch(app, None) == 9
    app.conf.worker_disable_prefetch = True
    assert asked.prefetch(app, 9) == 1


@pytest.mark.parametrize(("pool", "count"), [("prefork", 3), ("threads", None)])
def test_as_many_processes_as_can_be_kept_busy(app, monkeypatch, pool, count):
    monkeypatch.setattr(asked, "usable_cpus", lambda: 3)
    given = {"pool": pool, "concurrency": "auto"}
    asked.complete(app, given)
    assert given["concurrency"] == count
    app.conf.worker_concurrency = "auto"
    given = {"pool": pool}
    asked.complete(app, given)
    assert given["concurrency"] == count
    given = {"concurrency": 0}
    asked.complete(app, given)
    assert given["concurrency"] is None


def test_old_names_in_lower_case_as_ini_files_have_them(app):
    app.config_from_object({"celery_imports": ["json"], "celeryd_concurrency": 3})
    assert app.conf.imports == ("json",) and app.conf.worker_concurrency == 3
