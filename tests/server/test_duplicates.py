"""The memory against duplicates: its generations, what it forgets and when."""

import random
import time

import pytest

from host_tools.duplicates import Duplicates

WEEK = 7 * 86400
MOST = 2**63


def some(number, seed=1):
    source = random.Random(seed)
    return [source.randrange(1, MOST) * source.choice((1, -1)) for _ in range(number)]


def filled(identities, most=1_000_000, step=100):
    duplicates = Duplicates(most, WEEK)
    for row, first in enumerate(range(0, len(identities), step), 1):
        duplicates.add(identities[first : first + step], row, row)
    return duplicates


def test_it_knows_what_was_added_over_many_generations_and_nothing_else():
    identities = some(150_000)
    duplicates = filled(identities)
    assert len(duplicates) == 150_000
    assert duplicates.shed == 0
    assert all(identity in duplicates for identity in identities)
    assert not any(identity in duplicates for identity in some(150_000, seed=2))


def test_identities_that_collide_are_told_apart():
    # All belong to the same place of the table, the last one.
    identities = [(number << 32) - 1 for number in range(1, 1000)]
    duplicates = filled(identities)
    assert all(identity in duplicates for identity in identities)
    assert 1000 << 32 not in duplicates
    assert (1000 << 32) - 1 not in duplicates


def test_too_many_are_shed_oldest_first_and_counted():
    identities = some(100_000)
    duplicates = filled(identities, most=20_000)
    assert 17_500 <= len(duplicates) <= 20_000
    assert duplicates.shed == 100_000 - len(duplicates)
    assert not any(identity in duplicates for identity in identities[: duplicates.shed])
    assert all(identity in duplicates for identity in identities[duplicates.shed :])
    # Of the row that comes next something is still known.
    assert duplicates.forget(1) == duplicates.shed // 100


def test_more_at_once_than_there_is_room_for_are_all_known():
    identities = some(3000)
    duplicates = Duplicates(100, WEEK)
    duplicates.add(identities[:2000], 1, 0)
    assert all(identity in duplicates for identity in identities[:2000])
    duplicates.add(identities[2000:], 2, 0)
    assert all(identity in duplicates for identity in identities[2000:])
    assert duplicates.shed == 2000


def test_what_is_old_is_forgotten_an_eighth_later_at_most():
    identities = some(1000)
    duplicates = Duplicates(10_000, WEEK)
    hour = 3600
    for row, identity in enumerate(identities, 1):
        duplicates.add([identity], row, row * hour)
        row_forgotten = duplicates.forget(row * hour)
        hours = row - row_forgotten
        assert min(row, 168) <= hours <= 168 * 9 / 8 + 1
        assert len(duplicates) == hours
        assert identities[row_forgotten] in duplicates
        assert not row_forgotten or identities[row_forgotten - 1] not in duplicates
    assert duplicates.shed == 0
    assert duplicates.forget(2000 * hour) == 1000
    assert len(duplicates) == 0
    assert identities[-1] not in duplicates


@pytest.mark.parametrize("step", [1, 100])
def test_a_million_is_read_in_seconds(step):
    identities = some(1_000_000)
    begin = time.process_time()
    assert len(filled(identities, most=4_000_000, step=step)) == 1_000_000
    assert time.process_time() - begin < 10
