"""Names of states and their order."""

from __future__ import annotations

from ignitetasks import states


def test_states_are_compared_by_what_they_say():
    assert states.state(states.PENDING) < states.state(states.STARTED) < states.state(states.FAILURE)
    assert states.state(states.SUCCESS) > states.FAILURE and states.state(states.RETRY) >= states.RETRY
    assert states.state("PROGRESS") > states.STARTED and states.state("PROGRESS") <= states.FAILURE
    assert states.precedence(states.SUCCESS) == 0 and states.precedence("of my own") == states.precedence("PROGRESS")
    assert states.state("PENDING") == "PENDING"
    assert set(states.PRECEDENCE) == {*states.ALL_STATES, None}
