import json
import logging
import sys

from app.logs import JsonFormatter


def formatted(**values: object) -> dict[str, object]:
    record = logging.makeLogRecord(
        {"name": "app", "levelname": "INFO", "created": 0.25, "msg": "%d of %s", "args": (1, 'a "b"\n')} | values
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_line() -> None:
    assert formatted() == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "app",
        "message": '1 of a "b"\n',
    }


def test_fields() -> None:
    assert formatted(fields={"status": 200, "client": None})["status"] == 200


def test_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        line = formatted(exc_info=sys.exc_info())
    assert str(line["traceback"]).endswith("ValueError: why")
