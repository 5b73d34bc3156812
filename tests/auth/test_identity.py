"""Identities are values with one canonical text each."""

from rewake.auth import ANONYMOUS, Admin, Anonymous, User


def test_equal_identities_have_equal_fingerprints_and_different_ones_differ():
    jane = User.from_attributes({"subject": "jane", "issuer": "i", "tokenIdentifier": "i|jane"})
    same = User.from_attributes({"tokenIdentifier": "i|jane", "issuer": "i", "subject": "jane"})
    assert jane == same
    assert jane.fingerprint == same.fingerprint
    others = {ANONYMOUS.fingerprint, jane.fingerprint, Admin().fingerprint, Admin(jane).fingerprint}
    assert len(others) == 4


def test_an_administrator_acting_as_a_user_is_not_that_user():
    jane = User.from_attributes({"subject": "jane"})
    assert Admin(acting_as=jane) != jane
    assert Admin(acting_as=jane).fingerprint != jane.fingerprint


def test_all_anonymous_callers_are_one():
    assert Anonymous() == ANONYMOUS


def test_the_token_is_no_part_of_who_a_user_is():
    renewed = User.from_attributes({"subject": "jane"})
    signed_in = User(renewed.attributes, token="secret")
    assert signed_in == renewed
    assert signed_in.fingerprint == renewed.fingerprint
    assert "secret" not in repr(signed_in)
