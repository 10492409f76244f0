"""The signals that a cancelled job sends."""

import signal

import pytest

from slipway.release.signals import SIGNALS, on_cancel


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_within_the_block_and_by_whom_it_was_before_after_it(number):
    heard, before = [], signal.getsignal(number)
    with pytest.raises(KeyError), on_cancel(lambda: heard.append(number)):
        signal.raise_signal(number)
        raise KeyError
    assert (heard, signal.getsignal(number)) == ([number], before)
