"""What is changed of Locust and gevent is still needed: each test shows their own behaviour.

A test that fails here says that a change in ``locust_patches`` can go.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import locust

from kiosk_locust.plugin import locust_patches
from tests.helpers.servers import free_port

BEGINNING = """
import gevent, sys
import locust
from locust import User, task, constant, events
from locust.env import Environment
from locust.exception import RescheduleTaskImmediately, StopTest

class Plain(User):
    wait_time = constant(0)
    calls = 0
"""
ENDING = """
environment = Environment(user_classes=[Plain])
runner = environment.create_local_runner()
"""


def output_of(folder: Path, program: str, timeout_s: float = 15.0) -> tuple[int | None, str]:
    """Exit code (None: it had to be killed) and both streams of plain Locust."""
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(
            command, check=False, cwd=folder, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def test_locust_runs_a_task_that_reschedules_without_a_yield(tmp_path: Path) -> None:
    program = f"""{BEGINNING}
    @task
    def again(self):
        Plain.calls += 1
        if Plain.calls > 100_000:
            print("no other greenlet ran:", not ran, flush=True)
            import os
            os._exit(0)
        raise RescheduleTaskImmediately

ran = []
gevent.spawn_later(0.0, ran.append, 1)
{ENDING}
Plain(environment).run()
"""
    assert "no other greenlet ran: True" in output_of(tmp_path, program)[1]


def test_locusts_quit_in_the_greenlet_that_spawns_users_does_not_come_to_its_end(
    tmp_path: Path,
) -> None:
    program = f"""{BEGINNING}
    @task
    def rest(self):
        gevent.sleep(1)

{ENDING}
environment.events.test_start.add_listener(lambda **_: runner.quit())
runner.start(1, 1)
print("joined:", runner.greenlet.join(timeout=3), len(runner.greenlet) == 0)
"""
    assert "joined: False False" in output_of(tmp_path, program)[1].replace("None", "False")


def test_locusts_quit_ends_nothing_after_stop_test_in_test_stopping(tmp_path: Path) -> None:
    program = f"""{BEGINNING}
    @task
    def rest(self):
        gevent.sleep(1)

{ENDING}
def refuse(**_):
    raise StopTest("no")
environment.events.test_stopping.add_listener(refuse)
runner.start(1, 1)
gevent.sleep(0.5)
gevent.spawn(runner.quit)
runner.greenlet.join(timeout=3)
print("greenlets left:", len(runner.greenlet) > 0)
"""
    assert "greenlets left: True" in output_of(tmp_path, program)[1]


def test_gevent_throws_sys_exit_of_any_greenlet_into_the_main_one(tmp_path: Path) -> None:
    program = f"""{BEGINNING}
    @task
    def leave(self):
        sys.exit(5)

{ENDING}
runner.start(1, 1)
runner.greenlet.join(timeout=5)
print("went on")
"""
    code, output = output_of(tmp_path, program)
    assert (code, "went on" in output) == (5, False)


def test_gevent_prints_a_traceback_for_each_user_whose_on_start_raises(tmp_path: Path) -> None:
    program = f"""{BEGINNING}
    def on_start(self):
        raise RuntimeError("cannot start")

    @task
    def rest(self):
        gevent.sleep(1)

{ENDING}
runner.start(30, 30)
gevent.sleep(2)
runner.quit()
"""
    assert output_of(tmp_path, program)[1].count("failed with RuntimeError") == 30


def test_locust_fires_no_init_for_an_environment_of_a_program(tmp_path: Path) -> None:
    program = f"""{BEGINNING}
    @task
    def rest(self):
        gevent.sleep(1)

locust.events.init.add_listener(lambda **_: print("init"))
{ENDING}
environment.events.init.add_listener(lambda **_: print("init"))
runner.start(1, 1)
gevent.sleep(1)
runner.quit()
print("end")
"""
    assert output_of(tmp_path, program) == (0, "end\n")


def spawned(port: int, patched: str = "") -> str:
    """A program in which a worker is told to spawn a user, and counts the parsers made for it."""
    return f"""{BEGINNING}
    @task
    def rest(self):
        gevent.sleep(1)

{patched}
from locust import argument_parser

made = []
setup = argument_parser.setup_parser_arguments
argument_parser.setup_parser_arguments = lambda parser: (made.append(1), setup(parser))[1]
options, its = (argument_parser.get_parser().parse_args([]) for _ in range(2))
master = Environment(user_classes=[Plain], parsed_options=options)
runner = master.create_master_runner("127.0.0.1", {port})
worker = Environment(user_classes=[Plain], parsed_options=its)
worker.create_worker_runner("127.0.0.1", {port})
made.clear()
runner.start(1, 1)
with gevent.Timeout(10):
    while worker.runner.user_count < 1:
        gevent.sleep(0.05)
print("options:", len(vars(options)), "parsers:", len(made), flush=True)
import os
os._exit(0)
"""


def parsers(output: str) -> tuple[int, int]:
    """How many options the master had, and how many parsers its worker made."""
    found = re.search(r"options: (\d+) parsers: (\d+)", output)
    assert found, output
    return int(found[1]), int(found[2])


def test_locusts_worker_makes_a_parser_for_each_option_of_a_spawn_message(tmp_path: Path) -> None:
    options, made = parsers(output_of(tmp_path, spawned(free_port()))[1])
    assert made >= options - 2


def test_with_the_plugin_a_worker_makes_one_parser_at_most(tmp_path: Path) -> None:
    attached = "import kiosk_locust\nkiosk_locust.attach()"
    options, made = parsers(output_of(tmp_path, spawned(free_port(), attached))[1])
    assert options > 100
    assert made <= 1


TIMES = """
from locust import argument_parser, web
parser = argument_parser.get_parser(default_config_files=[])
for words in (["-t", "2min"], ["-t", "1.5h"], ["-s", "500ms"], ["--autoquit", "5s"],
              ["--expect-workers-max-wait", "1m"], ["-t", "1h30m"], ["--autoquit=-1"]):
    try:
        options = parser.parse_args(words)
    except SystemExit as error:
        print("refused", *words)
    else:
        print(options.run_time, options.stop_timeout, options.autoquit,
              options.expect_workers_max_wait)
try:
    print(web.parse_timespan("5400.0"))  # what its own form shows for a time that is no int
except ValueError:
    print("refused in the form")
"""


def test_locust_takes_neither_units_nor_fractions_as_other_settings_do(tmp_path: Path) -> None:
    code, said = output_of(tmp_path, TIMES)
    assert code == 0
    for words in ("-t 2min", "-t 1.5h", "-s 500ms", "--autoquit 5s"):
        assert f"refused {words}" in said
    assert "refused in the form" in said


def test_with_the_plugin_its_times_are_written_like_all_others(tmp_path: Path) -> None:
    code, said = output_of(tmp_path, f"import kiosk_locust\nkiosk_locust.attach()\n{TIMES}")
    assert (code, said.splitlines()) == (
        0,
        [
            "120.0 0 -1 0",
            "5400.0 0 -1 0",
            "None 0.5 -1 0",
            "None 0 5 0",
            "None 0 -1 60",
            "5400 0 -1 0",
            "None 0 -1 0",
            "5400.0",
        ],
    )


def forgotten(patched: str = "") -> str:
    """A program whose first child ended more than a minute before the second, by a faked clock."""
    return f"""{BEGINNING}
{patched}
import os, time, types
import gevent.os

def child(status):
    pid = gevent.fork()
    if not pid:
        os._exit(status)
    gevent.sleep(0.3)
    return pid

first = child(7)
gevent.os.time = types.SimpleNamespace(time=lambda: time.time() + 61)
second = child(8)
for pid in (second, first):
    try:
        print("status:", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    except ChildProcessError:
        print("forgotten", flush=True)
try:
    os.waitpid(first, 0)
except ChildProcessError:
    print("taken once", flush=True)
"""


def test_gevent_forgets_a_child_that_ended_a_minute_before_another(tmp_path: Path) -> None:
    assert output_of(tmp_path, forgotten())[1] == "status: 8\nforgotten\ntaken once\n"


def test_with_the_plugin_the_status_of_each_child_is_kept_until_it_is_taken(
    tmp_path: Path,
) -> None:
    attached = "import kiosk_locust\nkiosk_locust.attach()"
    found = output_of(tmp_path, forgotten(attached))[1]
    assert found == "status: 8\nstatus: 7\ntaken once\n"


def test_locusts_main_gives_up_with_1_and_with_255(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("from locust import User\nclass Plain(User):\n    pass\n")
    locust = [sys.executable, "-m", "locust", "-f", "plain.py", "--headless"]
    for arguments, code in ((["NoSuchUser"], 1), (["--master", "--worker"], 255)):
        done = subprocess.run(
            [*locust, *arguments], check=False, cwd=tmp_path, capture_output=True, timeout=30
        )
        assert done.returncode == code, done.stderr


def test_locust_fires_quitting_in_reverse_and_what_came_before_any_locustfile_last(
    tmp_path: Path,
) -> None:
    program = f"""{BEGINNING}
    @task
    def rest(self):
        gevent.sleep(1)

{ENDING}
for name in ("of a library", "of a locustfile", "of init"):
    environment.events.quitting.add_listener(lambda name=name, **_: print(name))
environment.events.quitting.fire(environment=environment, reverse=True)
"""
    assert output_of(tmp_path, program)[1].splitlines() == [
        "of init",
        "of a locustfile",
        "of a library",
    ]


LISTENING = """
import gevent, logging
from locust.env import Environment
from locust.rpc import Message, zmqrpc

environment = Environment(user_classes=[])
master = environment.create_master_runner("127.0.0.1", 0)
listener = next(g for g in master.greenlet if "client_listener" in repr(g))
"""


def test_locusts_master_hears_nobody_after_a_message_that_cannot_be_unpacked(
    tmp_path: Path,
) -> None:
    """Unpacking is made to fail here; the message itself is a plain one."""
    program = f"""{LISTENING}
def fails(data):
    raise ValueError("no such bytes")

Message.unserialize = staticmethod(fails)
zmqrpc.Client("127.0.0.1", master.server.port, "w").send(Message("heartbeat", None, "w"))
gevent.joinall([listener], timeout=5)
print("listener ended:", listener.dead)
"""
    assert "listener ended: True" in output_of(tmp_path, program)[1]


def test_locusts_master_hears_nobody_after_a_message_that_its_handler_fails_on(
    tmp_path: Path,
) -> None:
    """The handler is made to fail here."""
    program = f"""{LISTENING}
def fails(client_id, msg):
    raise KeyError("what it takes for granted")

master.handle_message = fails
zmqrpc.Client("127.0.0.1", master.server.port, "w").send(Message("heartbeat", None, "w"))
gevent.joinall([listener], timeout=5)
print("listener ended:", listener.dead)
"""
    assert "listener ended: True" in output_of(tmp_path, program)[1]


def test_gevent_prints_the_text_of_an_error_as_it_is(tmp_path: Path) -> None:
    program = """
import gevent
def dies():
    raise RuntimeError(chr(27) + "]red")
gevent.spawn(dies).join()
"""
    assert "\x1b]red" in output_of(tmp_path, program)[1]


# -- between init and the page


class Listening:
    """A web UI that notes when it listens."""

    greenlet: object = None

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    def start(self) -> None:
        self._happened.append("listens")


def test_a_check_comes_before_the_page_listens() -> None:
    happened: list[str] = []
    web_ui: Any = Listening(happened)
    locust_patches.before_page_starts(web_ui, lambda: happened.append("checked"))
    web_ui.start()
    assert happened == ["checked", "listens"]


def test_a_page_that_listens_already_is_left_alone() -> None:
    web_ui: Any = Listening([])
    web_ui.greenlet = object()
    locust_patches.before_page_starts(web_ui, lambda: None)
    assert "start" not in vars(web_ui)


def test_locust_has_nothing_of_its_own_between_init_and_the_page() -> None:
    source = Path(locust.__file__).with_name("main.py").read_text("utf-8")
    between = source.partition("events.init.fire(")[2].partition("web_ui.start()")
    assert between[1]
    assert ".fire(" not in between[0]
