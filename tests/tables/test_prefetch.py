"""Reading ahead: in order, errors in their places, and not far ahead."""

import pytest

from vidsim.tables.prefetch import prefetched


def test_in_order_and_each_error_at_its_key():
    read = []

    def half(number):
        read.append(number)
        if number % 7 == 3:
            raise ValueError(number)
        return number / 2

    found = prefetched(half, range(1000))
    for number, given in zip(range(1000), found, strict=True):
        assert len(read) <= number + 100
        if number % 7 == 3:
            with pytest.raises(ValueError, match=f"^{number}$"):
                given()
        else:
            assert given() == number / 2
    assert sorted(read) == list(range(1000))


def test_another_error_is_a_defect_and_not_hidden():
    with pytest.raises(ZeroDivisionError):
        list(prefetched(lambda key: 1 / key, [1, 0]))
    unfinished = prefetched(lambda key: key, iter(range(10**9)))
    assert next(unfinished)() == 0
    unfinished.close()
