import socket

import pytest

from app.settings import Settings, SettingsError


def test_defaults() -> None:
    assert Settings.from_environment({}) == Settings(
        hostname=socket.gethostname(), host="0.0.0.0", port=8080, drain_seconds=0.0, start_seconds=0.0, access_log=False
    )


def test_every_setting() -> None:
    environ = {
        "HOSTNAME": "ip-10-0-1-2.eu-west-2.compute.internal",
        "HOST": "127.3.2.1",
        "PORT": "80",
        "DRAIN_SECONDS": "2.5",
        "START_SECONDS": "600",
        "ACCESS_LOG": "on",
        "UPSTREAMS": "orders=http://orders:8080, stock=http://10.0.1.2/",
    }
    assert Settings.from_environment(environ) == Settings(
        hostname="ip-10-0-1-2.eu-west-2.compute.internal",
        host="127.3.2.1",
        port=80,
        drain_seconds=2.5,
        start_seconds=600.0,
        access_log=True,
        upstreams={"orders": "http://orders:8080", "stock": "http://10.0.1.2"},
    )


def test_empty_is_not_set() -> None:
    names = ["HOSTNAME", "HOST", "PORT", "DRAIN_SECONDS", "START_SECONDS", "ACCESS_LOG", "UPSTREAMS"]
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HOSTNAME", "two words"),
        ("HOSTNAME", "injected\r\nx-header: 1"),
        ("HOSTNAME", "hôte"),
        ("HOSTNAME", "a" * 254),
        ("HOST", "localhost"),
        ("HOST", "300.0.0.1"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "8080.0"),
        ("PORT", "8_080"),
        ("PORT", "http"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "121"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "soon"),
        ("START_SECONDS", "601"),
        ("START_SECONDS", "inf"),
        ("ACCESS_LOG", "yes"),
        ("UPSTREAMS", "orders"),
        ("UPSTREAMS", "orders=orders:8080"),
        ("UPSTREAMS", "orders=https://orders"),
        ("UPSTREAMS", "orders=http://user@orders"),
        ("UPSTREAMS", "orders=http://orders/path"),
        ("UPSTREAMS", "a=http://b,a=http://c"),
        ("UPSTREAMS", "orders=http://orders:0"),
        ("UPSTREAMS", "orders=http://orders:65536"),
        ("UPSTREAMS", "orders=http://orders..mesh"),
        ("UPSTREAMS", "orders=http://-orders"),
        ("UPSTREAMS", f"orders=http://{'a' * 64}"),
    ],
)
def test_wrong_value_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: text})
    assert f"{name}={text!r} is not " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"HOST": "127.0.0.1", "PORT": "x", "DRAIN_SECONDS": "y", "ACCESS_LOG": "z"})
    assert str(caught.value) == (
        "The environment has to be corrected: PORT='x' is not a port number from 1 to 65535; "
        "DRAIN_SECONDS='y' is not a number of seconds from 0 to 120; ACCESS_LOG='z' is not on or off."
    )


def test_system_hostname_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "my host")
    with pytest.raises(SettingsError, match="HOSTNAME='my host' is not a host name"):
        Settings.from_environment({})
