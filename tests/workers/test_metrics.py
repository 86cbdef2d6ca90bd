"""A worker's own figures."""

import socket

import httpx

from config.headers import SAFETY
from config.settings import Settings
from workers import metrics


def test_a_worker_s_figures_have_the_headers_of_every_answer_of_the_api() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with metrics.answering(Settings(worker_metrics_port=port)):
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    assert "propdesk_" in answer.text
    assert {name: answer.headers[name] for name in SAFETY} == SAFETY
