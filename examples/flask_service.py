"""Flask on gunicorn: `gunicorn --config examples/gunicorn_config.py --chdir examples flask_service:app`."""

import os

from flask import Flask, Response

app = Flask(__name__)


@app.get("/ready")
def ready() -> str:
    return "ready\n"


@app.get("/orders/<int:number>")
def order(number: int) -> dict[str, int]:
    return {"order": number}


@app.after_request
def name_host(response: Response) -> Response:
    response.headers["x-hostname"] = os.environ["HOSTNAME"]
    return response
