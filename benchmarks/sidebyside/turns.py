"""Clients that take turns, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from sidebyside.clients import CACHE, Client, Ours, Peers
from sidebyside.tables import append, ratio, spread, table
from sidebyside.window import Figures

#: A column's name, its value in a run, and how many digits are shown.
Column = tuple[str, Callable[[Figures], float], int]


def make_parser(description: str) -> argparse.ArgumentParser:
    """The options that all programs with clients have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--runs", type=int, default=3, help="of each client (%(default)s); 0 only installs"
    )
    parser.add_argument("--clients", default="", help="names with commas between (all)")
    parser.add_argument("--install", action="store_true", help="peers that are missing, from PyPI")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where they are (%(default)s)")
    parser.add_argument(
        "--kiosk-client-python", default=sys.executable, help="Python to install kiosk-client for"
    )
    parser.add_argument("--json", type=Path, help="file to add a line of JSON to for each run")
    return parser


def peers_of(asked: argparse.Namespace) -> Peers:
    """Where peers are, installed if that is wanted."""
    peers = Peers(asked.cache, asked.kiosk_client_python)
    if asked.install:
        peers.install()
    return peers


def present(clients: Sequence[Client], wanted: str) -> list[Client]:
    """Those that were asked for and are there; says why others are left out."""
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    if unknown := names - {client.name for client in clients}:
        raise SystemExit(f"{', '.join(unknown)}: no such client among {[c.name for c in clients]}")
    here = []
    for client in clients:
        if names and client.name not in names:
            continue
        if why := client.missing():
            print(f"{client.name}: skipped, {why}")
        else:
            here.append(client)
    return here


def in_turns(clients: Sequence[Client], runs: int) -> Iterator[tuple[int, Client]]:
    """Each client once a round; another one begins each time."""
    for run in range(runs):
        first = run % max(1, len(clients))
        for client in (*clients[first:], *clients[:first]):
            yield run + 1, client


def compare(
    program: str,
    clients: Sequence[Client],
    asked: argparse.Namespace,
    measure: Callable[[Client], Figures],
) -> dict[str, list[Figures]]:
    """Measure all in turns, with a line for each run."""
    found: dict[str, list[Figures]] = {client.name: [] for client in clients}
    for run, client in in_turns(clients, asked.runs):
        figures = measure(client)
        found[client.name].append(figures)
        append(asked.json, program, {"client": client.name, **asdict(figures)})
        print(
            f"run {run}, {client.name}: {figures.cpu_ms_a_job:.3f} ms of CPU and"
            f" {figures.requests_a_job:.2f} requests a job, {figures.jobs} jobs at"
            f" {figures.jobs_s:,.1f}/s, limit: {figures.limit}",
            flush=True,
        )
    return found


def compared(found: dict[str, list[Figures]], columns: Sequence[Column]) -> str:
    """The medians as a table: CPU first, then how many times ours that is, then ``columns``."""
    ours = [each.cpu_ms_a_job for each in found.get(Ours.name, [])]
    rows = []
    for name, runs in found.items():
        if not runs:
            continue
        theirs = [each.cpu_ms_a_job for each in runs]
        times = f"{ratio(ours, theirs):.2f}" if ours else ""
        figures = [spread([get(each) for each in runs], digits) for _, get, digits in columns]
        limits = " / ".join(sorted({each.limit for each in runs}))
        rows.append([name, spread(theirs, 3), times, *figures, limits])
    names = ["median (least to most)", "CPU, ms a job", "times ours"]
    return table([*names, *(name for name, _, _ in columns), "limit"], rows)
