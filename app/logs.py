"""Logs as JSON lines on standard output, which is where ECS's log drivers read."""

import json
import logging
import sys
from datetime import UTC, datetime

from hypercorn.logging import Logger
from hypercorn.typing import ResponseSummary, WWWScope


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's `fields` and its traceback, if any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class AccessLogger(Logger):
    """hypercorn's logger, whose access log has a field for each value instead of a line in Apache's format."""

    async def access(self, request: WWWScope, response: ResponseSummary | None, request_time: float) -> None:
        """Log one request; `response` is None if the client left before there was one, `request_time` is in seconds."""
        if self.access_logger is None:
            return
        fields = {
            "method": request.get("method"),
            "path": request["path"],
            "query": request["query_string"].decode("latin-1"),
            "status": response["status"] if response is not None else None,
            "duration_ms": round(request_time * 1000, 3),
            "client": request["client"],
        }
        self.access_logger.info("request", extra={"fields": fields})


def configure_logging() -> None:
    """Send every log record of the process, the libraries' too, to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
