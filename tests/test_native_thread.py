from __future__ import annotations

import gevent
import pytest
from gevent import monkey

from kiosk_locust.native_thread import RealThread

identity = monkey.get_original("_thread", "get_ident")


def test_work_is_done_in_one_other_thread_in_the_order_asked_for() -> None:
    thread, done = RealThread(), []

    def work(number: int) -> tuple[int, int]:
        done.append(number)
        return number, identity()

    asked = [gevent.spawn(thread.apply, work, (number,)) for number in range(50)]
    gevent.joinall(asked)
    thread.kill()
    assert done == list(range(50))
    assert [each.value[0] for each in asked] == done
    (other,) = {each.value[1] for each in asked}
    assert other != identity()


def test_what_is_raised_is_raised_where_it_was_asked_for() -> None:
    thread = RealThread()
    with pytest.raises(ZeroDivisionError):
        thread.apply(lambda: 1 // 0)
    assert thread.apply(lambda: 7) == 7
    thread.kill()


def test_other_greenlets_go_on_meanwhile() -> None:
    thread, turns = RealThread(), []
    sleep = monkey.get_original("time", "sleep")
    other = gevent.spawn(lambda: turns.extend([gevent.sleep(0.01) for _ in range(5)]))
    thread.apply(sleep, (0.3,))
    other.join()
    thread.kill()
    assert len(turns) == 5
