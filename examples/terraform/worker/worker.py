"""Takes messages from the queue QUEUE_URL and writes each into the table TABLE, with the task that has taken it.

It knows nothing of the twin: endpoint, Region and credentials are in its environment, as on ECS.
"""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType

import boto3


def main() -> None:
    """Work until SIGTERM; a message that is under way is finished."""
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    queue, table = os.environ["QUEUE_URL"], os.environ["TABLE"]
    sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
    host = os.environ.get("HOSTNAME", socket.gethostname())
    while not ended:
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=1)
        for message in answer.get("Messages", []):
            item = {"id": message["MessageId"], "body": message["Body"], "by": host}
            dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in item.items()})
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            print(f"{message['MessageId']}: {message['Body']}", flush=True)


if __name__ == "__main__":
    main()
