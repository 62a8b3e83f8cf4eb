from __future__ import annotations

from kiosk_locust.codec import decode, encode
from kiosk_locust.measurement.process_figures import Generator, ProcessFigures
from kiosk_locust.verdict.rules import ValidityFacts


def process(**changes: float | None) -> ProcessFigures:
    figures: dict[str, float | int | None] = {
        "watched_s": 10.0,
        "loop_delay_p50_s": 0.001,
        "loop_delay_p99_s": 0.002,
        "loop_delay_max_s": 0.003,
        "cpu_share": 0.5,
        "memory_bytes": 1000,
        "requests": 7,
        "socket_wait_p99_s": 0.0,
        "socket_wait_max_s": 0.0,
        "silence_s": 0.0,
        "master_reply_p99_s": None,
        "judged_loop_delay_s": 0.002,
        "judged_cpu_share": 0.5,
        "judged_socket_wait_s": 0.0,
    }
    return ProcessFigures(**(figures | changes))  # type: ignore[arg-type]  # by their names


def test_the_worst_process_is_judged() -> None:
    workers = {"w1": process(judged_cpu_share=0.99), "w2": process(judged_loop_delay_s=0.4)}
    facts = Generator({"master": process(), **workers}, workers_lost=1).in_facts(
        ValidityFacts(is_open=True, tickets=5, socket_wait_p99_s=0.7)
    )
    assert (facts.cpu_share, facts.loop_delay_p99_s, facts.workers_lost) == (0.99, 0.4, 1)
    assert (facts.tickets, facts.socket_wait_p99_s, facts.master_reply_p99_s) == (5, 0.7, None)


def test_sessions_before_keep_their_figures() -> None:
    first = Generator({"run": process(silence_s=9.0)}, simulator_cpu_share=0.8)
    second = Generator({"run": process()}, workers_lost=2, session=2).after(first)
    # The last one died before it was judged.
    last = Generator({"run": process()}, workers_lost=1, session=4).after(second)
    assert list(last.processes) == ["run of session 1", "run of session 2", "run"]
    assert (last.workers_lost, last.simulator_cpu_share) == (3, 0.8)
    assert last.in_facts(ValidityFacts(is_open=True, tickets=1)).silence_s == 9.0
    assert Generator.from_text(last.as_text()) == last


def test_figures_travel_with_reports() -> None:
    assert decode(ProcessFigures, encode(process())) == process()
