"""One setting governs what the house logs."""

from rewake.observability import logger


def test_every_logger_is_below_the_root_of_the_house():
    assert logger("rewake.sync.session").name == "rewake.sync.session"
    assert logger("tests").name == "rewake.tests"
