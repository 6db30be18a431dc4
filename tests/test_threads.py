"""Items handed from one thread to another: all of them, in order, with their errors, and no thread left behind."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.threads import Aside, ahead


class OwnError(Exception):
    pass


def failing_after(count: int) -> Iterator[int]:
    yield from range(count)
    raise OwnError


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"ahead", "aside"}


@given(st.lists(st.one_of(st.none(), st.integers(), st.binary(max_size=3))), st.integers(1, 5))
def test_everything_comes_in_order(items: list[object], most: int) -> None:
    assert list(ahead(iter(items), most)) == items
    taken: list[object] = []
    aside = Aside(taken.append, most)
    for item in items:
        aside.put(item)
    aside.drain()
    aside.close()
    assert taken == items
    assert not threads()


@given(st.integers(0, 12), st.integers(1, 5))
def test_errors_come_where_the_item_would(count: int, most: int) -> None:
    taken = []
    with pytest.raises(OwnError):
        for item in ahead(failing_after(count), most):
            taken.append(item)
    assert taken == list(range(count))
    assert not threads()


def test_no_more_than_was_asked_for_is_made() -> None:
    made: list[int] = []
    enough = threading.Event()

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 3:
                enough.set()
            yield number

    items = ahead(source(), 3)
    assert next(items) == 0
    assert enough.wait(10)
    items.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(made) <= 5
    assert not threads()


def test_the_thread_begins_with_what_was_asked() -> None:
    begun: list[str] = []
    assert list(ahead(iter([1]), 1, begin=lambda: begun.append(threading.current_thread().name))) == [1]
    assert begun == ["ahead"]


@pytest.mark.parametrize("put", [1, 50])
def test_an_error_of_the_taker_reaches_the_giver(put: int) -> None:
    def take(item: int) -> None:
        raise OwnError

    aside = Aside(take, 2)
    with pytest.raises(OwnError):
        for number in range(put):
            aside.put(number)
        aside.drain()
    aside.close()
    assert not threads()


def test_what_waits_is_dropped_when_closed() -> None:
    go, began = threading.Event(), threading.Event()
    taken: list[int] = []

    def take(item: int) -> None:
        taken.append(item)
        began.set()
        assert go.wait(10)

    aside = Aside(take, 5)
    for number in range(4):
        aside.put(number)
    assert began.wait(10)
    closing = threading.Thread(target=aside.close)
    closing.start()
    while not aside._stopped:
        pass
    go.set()
    closing.join()
    assert taken == [0]
    assert not threads()
